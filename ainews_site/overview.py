"""What the first page of the admin shows: health, queue, sources, reports, stories, spending.

Each part is a list of lines. A part is shown to those who may see the tables behind it.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, F, Q, Sum
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django_q.brokers import get_broker
from django_q.models import Failure

from ainews_site.doctor import CHEAP, run_check
from ainews_site.health import current_status
from ainews_site.infra import db_clock
from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.version import program_version
from ainews_site.process.supervisor import heartbeats
from ainews_site.queue.config import FAST, SLOW
from feeds.ai.language.admission import cost_of_month
from feeds.ai.language.prices import DOLLAR
from feeds.models import LanguageUse, Report, Source, Story, StoryRedirect

SHOWN = 5
"""Rows of a part. The list behind it has the rest."""
DAY, WEEK = timedelta(days=1), timedelta(days=7)
LARGE = 40
"""A story with more items than this may be several."""
LOCK_WAIT = 0.05
"""Seconds for which the page waits for SQLite's write lock, to see whether it is free."""


@dataclass(frozen=True)
class Line:
    text: str
    note: str = ""
    url: str = ""
    is_bad: bool = False


@dataclass(frozen=True)
class Part:
    title: str
    lines: list[Line]
    links: list[tuple[str, str]] = field(default_factory=list)
    """Labels and addresses of what to do next."""

    @property
    def is_bad(self) -> bool:
        return any(line.is_bad for line in self.lines)


def parts_for(request: HttpRequest) -> list[Part]:
    """Return the parts that the person may see."""
    return [
        part(request) for permission, part in PARTS if not permission or may(request, permission)
    ]


def may(request: HttpRequest, permission: str) -> bool:
    return request.user.has_perm(permission)


def health(request: HttpRequest) -> Part:
    """The answer of /health, and for those who run the site the quick checks of `doctor`."""
    status = current_status(LOCK_WAIT)
    problems = [f"{name}: {text}" for name, text in _flat(status) if text != "ok"]
    if request.user.is_superuser:
        checks = {name: run_check(name) for name in CHEAP}
        problems += [f"{name}: {problem}" for name, problem in checks.items() if problem]
    lines = [Line(problem, is_bad=True) for problem in problems]
    lines = lines or [Line("All checks on this page passed.")]
    lines.append(Line(f"AI News {program_version()}"))
    lines.append(Line(f"{PROGRAM} doctor", "also checks the data, models, e-mail and a feed."))
    return Part("Health", lines, [("Health as JSON", f"{reverse('health_ready')}?format=json")])


def _flat(status: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and values of a status, with those of replicas."""
    pairs = [(name, value) for name, value in status.items() if name != "status"]
    return [
        pair
        for name, value in pairs
        for pair in (list(value.items()) if isinstance(value, dict) else [(name, str(value))])
    ]


def queue(request: HttpRequest) -> Part:
    clusters = heartbeats() or []
    waiting = {name: get_broker(name).queue_size() for name in (FAST, SLOW)}
    failed = Failure.objects.filter(stopped__gt=db_clock.now() - DAY)
    newest = list(failed.order_by("-stopped").values_list("id", "func", "result")[:SHOWN])
    count = failed.count() if len(newest) == SHOWN else len(newest)
    workers = sum(len(cluster.workers) for cluster in clusters)
    lines = [
        Line(f"Worker processes on this machine: {workers}", is_bad=not workers),
        Line(f"Waiting tasks: {waiting[FAST]} fast, {waiting[SLOW]} slow"),
        Line(f"Failed in the past day: {count}", is_bad=bool(count)),
        *(
            Line(func.rpartition(".")[2], _first_line(result), _change("django_q_failure", pk))
            for pk, func, result in newest
        ),
    ]
    return Part("Queue", lines, _lists(("Failed tasks", "django_q_failure", "")))


def spending(request: HttpRequest) -> Part:
    """What language models cost this month, by purpose."""
    today = db_clock.now().date()
    spent, budget = cost_of_month(today) / DOLLAR, settings.LLM_MONTHLY_BUDGET
    share = spent / budget if budget else 0.0
    of_budget = f"{share:.0%} of ${budget:,.2f}" if budget else "LLM_MONTHLY_BUDGET is not set"
    lines = [Line(f"${spent:,.2f} this month", of_budget, is_bad=share >= 0.8)]
    if not settings.LLM_MODEL:
        lines.append(Line("No language model is set", "Set LLM_MODEL in .env to use one."))
    month = LanguageUse.objects.filter(day__gte=today.replace(day=1)).order_by().values("purpose")
    uses = month.annotate(number=Sum("calls"), lost=Sum("failed"), dollars=Sum("cost"))
    for use in uses.order_by("-dollars")[:SHOWN]:
        calls = f"{use['number']} calls" + (f", {use['lost']} failed" if use["lost"] else "")
        lines.append(Line(f"{use['purpose']}: ${use['dollars'] / DOLLAR:,.2f}", calls))
    links = _lists(("By day", "feeds_languageuse", ""), ("By month", "feeds_languagemonth", ""))
    return Part("Language models", lines, links)


def sources(request: HttpRequest) -> Part:
    """How many sources fail, and those that fail for longest."""
    is_active = Q(status=Source.Status.ACTIVE)
    counts = Source.objects.aggregate(
        all=Count("pk"),
        failing=Count("pk", filter=is_active & Q(failures__gt=0)),
        gone=Count("pk", filter=Q(status=Source.Status.GONE)),
    )
    failing = Source.objects.filter(is_active, failures__gt=0).order_by(
        F("failing_since").asc(nulls_last=True), "pk"
    )
    query = "?status__exact=active&failures__gt=0&o=6"
    links = _lists(("All failing", "feeds_source", query), ("All sources", "feeds_source", ""))
    lines = [
        Line(
            f"{counts['failing']} of {counts['all']} failing, {counts['gone']} gone",
            url=dict(links).get("All failing", ""),
            is_bad=bool(counts["failing"]),
        )
    ]
    for source in failing.only("title", "url", "error")[:SHOWN]:
        lines.append(Line(str(source), source.error, _change("feeds_source", source.pk)))
    return Part("Sources", lines, links)


def stories(request: HttpRequest) -> Part:
    """The newest merges, and recent stories that are so large that they may be several."""
    merges = list(
        StoryRedirect.objects.order_by("-old_id").select_related("story").only("story__title")[:50]
    )
    targets = list({merge.story.pk: merge.story for merge in merges}.values())[:SHOWN]
    recent = Story.objects.filter(last_at__gt=db_clock.now() - WEEK, item_count__gt=LARGE)
    large = list(recent.order_by("-item_count").only("title", "item_count")[:SHOWN])
    lines = [_story(story, "other stories were merged into it") for story in targets]
    lines += [_story(story, f"{story.item_count} items: is it one story?") for story in large]
    lines = lines or [Line("No merges and no large stories this week.")]
    return Part("Stories to review", lines, _lists(("All stories", "feeds_story", "")))


def reports(request: HttpRequest) -> Part:
    """What readers reported and nobody has handled, the newest first."""
    waiting = Report.objects.open()
    lines = [
        Line(
            report.about,
            report.note or report.get_kind_display(),
            _change("feeds_report", report.pk),
        )
        for report in waiting[:SHOWN]
    ]
    if len(lines) == SHOWN:
        lines.append(Line(f"{waiting.count()} in all"))
    lines = lines or [Line("No open reports from readers.")]
    links = _lists(
        ("Open reports", "feeds_report", "?state__exact=open"), ("All reports", "feeds_report", "")
    )
    return Part("Reports by readers", lines, links)


def _story(story: Story, note: str) -> Line:
    return Line(story.title, note, _change("feeds_story", story.pk))


def _first_line(result: object) -> str:
    return str(result or "").strip().partition("\n")[0][:200]


def _change(model: str, pk: object) -> str:
    return reverse(f"admin:{model}_change", args=[pk])


def _lists(*links: tuple[str, str, str]) -> list[tuple[str, str]]:
    """Return the addresses of lists that the admin has."""
    addresses = []
    for label, model, query in links:
        try:
            addresses.append((label, reverse(f"admin:{model}_changelist") + query))
        except NoReverseMatch:
            continue
    return addresses


PARTS: list[tuple[str, Callable[[HttpRequest], Part]]] = [
    ("", health),
    ("django_q.view_failure", queue),
    ("feeds.view_source", sources),
    ("feeds.view_report", reports),
    ("feeds.view_story", stories),
    ("feeds.view_languageuse", spending),
]
