"""The page for a request that failed: what happened, what was done, and what to do next.

It is written without a template, a session or a query, because it must also appear when these are
what failed. Its colours follow the system, as the reader's preferences are unknown.
"""

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

API = "/api/"


@dataclass(frozen=True)
class Problem:
    """A problem in a few sentences, and where its button leads.

    `advice` is empty if what happened says already what to do next.
    """

    title: str
    happened: str
    done: str
    advice: str = ""
    link: str = "/"
    label: str = "Back to stories"


def problem_response(request: HttpRequest, status: int, problem: Problem) -> HttpResponse:
    """Return the problem as a page, or as JSON to a client of the API."""
    if request.path_info.startswith(API):
        return JsonResponse({"detail": problem.happened}, status=status)
    return HttpResponse(page_of(problem), status=status)


def page_of(problem: Problem) -> SafeString:
    rest = [(sentence,) for sentence in (problem.done, problem.advice) if sentence]
    return format_html(
        PAGE,
        title=problem.title,
        happened=problem.happened,
        rest=format_html_join("\n    ", "<p>{}</p>", rest),
        link=problem.link,
        label=problem.label,
        style=address_of("css/problem.css"),
        icon=address_of("icon.svg"),
    )


def address_of(name: str) -> str:
    """Return the address of a static file, without a hash if that cannot be computed now."""
    try:
        return static(name)
    except (OSError, ValueError):
        return f"{settings.STATIC_URL}{name}"


PAGE = """<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="color-scheme" content="light dark">
  <meta name="robots" content="noindex">
  <title>{title} · AI News</title>
  <link rel="icon" href="{icon}" type="image/svg+xml">
  <link rel="stylesheet" href="{style}">
</head>
<body>
  <header><a href="/"><svg viewBox="0 0 20 12" width="20" height="12" aria-hidden="true">
    <circle class="first" cx="3.5" cy="6" r="3.5"/><circle cx="11" cy="6" r="2.3"/>
    <circle cx="17" cy="6" r="1.8"/></svg> AI News</a></header>
  <main>
    <h1>{title}</h1>
    <p role="alert">{happened}</p>
    {rest}
    <p class="next"><a href="{link}">{label}</a></p>
  </main>
</body>
</html>
"""
