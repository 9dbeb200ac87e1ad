"""Health checks: does this process answer, does its database, and does Redis."""

import os
import sqlite3
import time
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse

from ainews_site.infra.cache import circuit
from ainews_site.infra.replicas import NO_ANSWER, replicas
from ainews_site.infra.schema import unapplied_migrations
from ainews_site.infra.sqlite_lock import holds_write_lock

LOCKED = "locked by another program: reading works, writing waits"
LONGEST_WRITE = 1.0
"""Seconds that the write lock may be held without a word: ordinary writes are shorter."""
STILL, SHORT_PROBE = 5.0, 0.1
"""For the first number of seconds after such a lock the checks wait no longer than the second."""
_locked_at = -STILL
_is_migrated = False


def health(request: HttpRequest) -> JsonResponse:
    """200 `{"status": "ok"}` when the database answers, else 503. With replicas and
    Redis also how each is; `degraded` with 200 as long as pages can be read."""
    status = _status()
    if status["status"] == "unavailable":
        return JsonResponse(status, status=503)
    # Whoever started this server can tell it from another one at the same address.
    return JsonResponse(status, headers={"X-Run": os.environ.get("AINEWS_RUN", "")})


def ready(request: HttpRequest) -> JsonResponse:
    """The same, and 503 as long as the database lacks tables: whether requests may come here."""
    status = _status()
    if status["status"] != "unavailable" and not _has_tables():
        status |= {"status": "unavailable", "database": "lacks tables: run manage.py migrate"}
    return JsonResponse(status, status=503 if status["status"] == "unavailable" else 200)


def _status() -> dict[str, Any]:
    error = _primary_error()
    status: dict[str, Any] = (
        {"status": "unavailable", "error": error} if error else {"status": "ok"}
    )
    if not error and (problem := _write_problem()):
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


def _write_problem() -> str:
    """Why SQLite takes no writes; empty when it does. A lock must be held for longer than a write
    takes. Only the first check of a lock waits for so long."""
    global _locked_at
    is_known = time.monotonic() - _locked_at < STILL
    try:
        is_held = holds_write_lock(seconds=SHORT_PROBE if is_known else LONGEST_WRITE)
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
    said: dict[str, Any] = {"primary": NO_ANSWER if error else "ok", "replicas": states}
    is_well = not error and set(states.values()) == {"ok"}
    if not is_well and (not error or any(replica.can_answer_stale() for replica in replicas())):
        said["status"] = "degraded"
    return said
