"""Keeps the page of one reader from loading what another has, and a list from loading the sign-in
page.

A session may end, or another reader may sign in, in another tab. Scripts name the reader of their
page in the header X-Reader; a reload shows what the browser may see now.
"""

from collections.abc import Callable
from urllib.parse import urlencode, urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url


class PageReaderMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        expected = request.headers.get("X-Reader")
        if expected and str(request.user.pk) != expected:
            return _reload() if request.user.is_authenticated else _signin(request)
        response = self.get_response(request)
        return _signin(request) if _is_htmx(request) and _is_signin(response) else response


def _is_htmx(request: HttpRequest) -> bool:
    return request.headers.get("HX-Request") == "true"


def _reload() -> HttpResponse:
    return HttpResponse(status=409, headers={"HX-Refresh": "true"})


def _signin(request: HttpRequest) -> HttpResponse:
    """Let htmx open the sign-in page. Other scripts offer it."""
    if _is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": _signin_for(request)})
    return HttpResponse(status=401)


def _is_signin(response: HttpResponse) -> bool:
    path = urlsplit(response.headers.get("Location", "")).path
    return response.status_code == 302 and path == resolve_url(settings.LOGIN_URL)


def _signin_for(request: HttpRequest) -> str:
    """The sign-in page, which returns to the page of the script."""
    page = urlsplit(request.headers.get("HX-Current-URL", ""))
    target = f"{page.path or '/'}?{page.query}".rstrip("?")
    return f"{resolve_url(settings.LOGIN_URL)}?{urlencode({'next': target})}"
