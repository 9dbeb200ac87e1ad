"""The views for health checks of this process, its database and Redis."""

import os
import sqlite3
import time
from typing import Any

from django.conf import settings
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.html import format_html, format_html_join

from ainews_site import health_checks
from ainews_site.infra.cache import circuit
from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.problem_page import PAGE, address_of
from ainews_site.infra.replicas import NO_ANSWER, replicas
from ainews_site.infra.schema import unapplied_migrations
from ainews_site.infra.sqlite_lock import holds_write_lock
from ainews_site.infra.version import program_version
from ainews_site.metrics.guard import may_read

LOCKED = "locked by another program: reading works, writing waits"
LONGEST_WRITE = 1.0
"""A write lock that is held for fewer seconds is normal and not reported."""
RECENT, SHORT_PROBE = 5.0, 0.1
"""If a lock was reported in the last RECENT seconds, a check waits only SHORT_PROBE seconds."""
SENTENCES = {
    "ok": ("AI News works", "Everything that was checked works."),
    "degraded": ("AI News works in part", "Pages can be read, but something does not work."),
    "unavailable": ("Temporarily unavailable", "AI News cannot read its database."),
}
"""Title and sentence of the page, by status."""
_locked_at = -RECENT
_is_migrated = False


def live(request: HttpRequest) -> HttpResponse:
    """Answer 200: this process serves requests. Asks neither the database nor Redis."""
    return _answer(request, {"status": "ok"})


def health(request: HttpRequest) -> HttpResponse:
    """Answer 200 with `{"status": "ok"}` if the database answers, else 503.

    The answer includes the states of replicas and Redis. If something fails but pages can be read,
    it is 200 with the status `degraded`. Operators also get the version.
    """
    status = current_status()
    if status["status"] != "unavailable" and is_operator(request):
        status["version"] = program_version()
    return _answer(request, status)


def is_operator(request: HttpRequest) -> bool:
    """Return True for staff who are signed in, and for requests with METRICS_TOKEN.

    To others the version would say which defects the site has.
    """
    if may_read(request.headers.get("Authorization", ""), "", is_forwarded=True):
        return True
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES  # else a probe would query more
    try:
        return has_session and request.user.is_staff
    except Error:
        return False


def ready(request: HttpRequest) -> HttpResponse:
    """Answer like `health`, but 503 while migrations are missing: a readiness check.

    It is also degraded if a check of `health_checks` finds a problem. Operators get the checks.
    """
    status = current_status()
    if status["status"] != "unavailable" and not _has_tables():
        status |= {"status": "unavailable", "database": f"lacks tables: run {PROGRAM} migrate"}
    if status["status"] != "unavailable":
        checks = health_checks.results()
        if set(checks.values()) != {"ok"}:
            status["status"] = "degraded"
        if is_operator(request):
            status["checks"] = checks
    return _answer(request, status)


def _answer(request: HttpRequest, status: dict[str, Any]) -> HttpResponse:
    """Answer as JSON, or as a page to a browser."""
    code = 503 if status["status"] == "unavailable" else 200
    # X-Run lets the supervisor recognise its own server.
    headers = {"X-Run": os.environ.get("AINEWS_RUN", "")} if code == 200 else {}
    headers |= {"Cache-Control": "no-store", "Vary": "Accept"}
    if not _wants_page(request):
        return JsonResponse(status, status=code, headers=headers)
    title, happened = SENTENCES[status["status"]]
    return HttpResponse(_page(title, happened, status), status=code, headers=headers)


def _wants_page(request: HttpRequest) -> bool:
    wanted = request.GET.get("format", "")
    return wanted == "html" or (
        wanted != "json" and "text/html" in request.headers.get("Accept", "")
    )


def _page(title: str, happened: str, status: dict[str, Any]) -> str:
    rows: list[tuple[str, str]] = []
    for name, value in status.items():
        if isinstance(value, dict):
            rows += value.items()
        elif name != "status":
            rows.append((name, value))
    return format_html(
        PAGE,
        title=title,
        happened=happened,
        rest=format_html_join("\n    ", "<p>{}: {}</p>", rows),
        link="/",
        label="Back to stories",
        style=address_of("css/problem.css"),
        icon=address_of("icon.svg"),
    )


def current_status(lock_wait: float = LONGEST_WRITE) -> dict[str, Any]:
    """Return what `health` answers.

    SQLite counts as locked if its write lock is not free within `lock_wait` seconds.
    """
    error = _primary_error()
    status: dict[str, Any] = (
        {"status": "unavailable", "error": error} if error else {"status": "ok"}
    )
    if not error and (problem := _write_problem(lock_wait)):
        status = {"status": "degraded", "database": problem}
    if settings.REPLICAS:
        status |= _replicas(error)
    if settings.REDIS_URL:
        problem = circuit.current_problem()
        status["redis"] = problem or "ok"
        if problem and status["status"] == "ok":
            status["status"] = "degraded"
    return status


def _primary_error() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is 503
        return type(error).__name__
    return ""


def _write_problem(lock_wait: float) -> str:
    """Return why SQLite cannot be written to, or "".

    A lock counts only if it is held for longer than an ordinary write. Only the first check of a
    lock waits that long.
    """
    global _locked_at
    is_recent = time.monotonic() - _locked_at < RECENT
    try:
        is_held = holds_write_lock(seconds=SHORT_PROBE if is_recent else lock_wait)
    except sqlite3.Error as error:
        return f"takes no writes: {error}"
    if is_held:
        _locked_at = time.monotonic()
    return LOCKED if is_held else ""


def _has_tables() -> bool:
    global _is_migrated
    _is_migrated = _is_migrated or not unapplied_migrations()
    return _is_migrated


def _replicas(error: str) -> dict[str, Any]:
    states = {replica.alias: replica.probe().problem or "ok" for replica in replicas()}
    status: dict[str, Any] = {"primary": NO_ANSWER if error else "ok", "replicas": states}
    is_well = not error and set(states.values()) == {"ok"}
    if not is_well and (not error or any(replica.can_answer_stale() for replica in replicas())):
        status["status"] = "degraded"
    return status
