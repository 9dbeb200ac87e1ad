"""Liveness: does this process answer, does its database, and does Redis."""

import os
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, JsonResponse

from accounts.cache import circuit
from accounts.replicas import NO_ANSWER, replicas


def health(request: HttpRequest) -> JsonResponse:
    """200 `{"status": "ok"}` when the database answers, else 503. With replicas and
    Redis also how each is; `degraded` with 200 as long as pages can be read."""
    error = _primary_error()
    said: dict[str, Any] = {"status": "unavailable", "error": error} if error else {"status": "ok"}
    if settings.REPLICAS:
        said |= _replicas(error)
    if settings.REDIS_URL:
        problem = circuit.problem_now()
        said["redis"] = problem or "ok"
        if problem and said["status"] == "ok":
            said["status"] = "degraded"
    if said["status"] == "unavailable":
        return JsonResponse(said, status=503)
    # Whoever started this server can tell it from another one at the same address.
    return JsonResponse(said, headers={"X-Run": os.environ.get("AINEWS_RUN", "")})


def _primary_error() -> str:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is 503
        return type(error).__name__
    return ""


def _replicas(error: str) -> dict[str, Any]:
    states = {one.alias: one.look().problem or "ok" for one in replicas()}
    said: dict[str, Any] = {"primary": NO_ANSWER if error else "ok", "replicas": states}
    is_well = not error and set(states.values()) == {"ok"}
    if not is_well and (not error or any(one.has_old_news() for one in replicas())):
        said["status"] = "degraded"
    return said
