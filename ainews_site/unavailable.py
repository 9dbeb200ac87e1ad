"""Answers 503, in words, to requests that the database does not let through."""

import logging
import sys
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from ainews_site.infra.db_router import is_primary_lost
from ainews_site.infra.deferred_writes import deferred
from ainews_site.infra.schema import explain
from ainews_site.infra.sqlite_lock import is_locked

READING = ("GET", "HEAD", "OPTIONS")
RETRY_AFTER = 10
"""Seconds."""
LOCKED = (
    "Your change could not be saved just now, because another program has locked the database."
    " Reading works. Try again in a moment."
)
LOCKED_READING = (
    "This page needs to save something, and another program has locked the database."
    " Try again in a moment."
)
NO_ANSWER = "The database does not respond. Try again in a moment."
NOT_MIGRATED = "The database of this site is not set up for this version yet. Its log says how."

logger = logging.getLogger(__name__)


class DatabaseErrorMiddleware:
    """Turns what a view could not do for want of the database into 503.

    A request that changes something waits for what this process has deferred: what a reader opened
    before they marked it unread must not come after it.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in READING and not deferred.flush(settings.SQLITE_BUSY_TIMEOUT):
            return unavailable_response(request, LOCKED, "deferred writes still wait")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return answer_to(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """The same for errors in other middleware, such as the one that saves the session; 500 for all
    that has another cause."""
    error = sys.exc_info()[1]
    answer = answer_to(request, error) if error else None
    return answer or defaults.server_error(request)


def answer_to(request: HttpRequest, error: BaseException) -> HttpResponse | None:
    """None for an error of another kind."""
    if is_locked(error):
        message = LOCKED_READING if request.method in READING else LOCKED
        return unavailable_response(request, message, str(error))
    if problem := explain(error):
        return unavailable_response(request, NOT_MIGRATED, problem)
    # With replicas ainews_site.replica_middleware knows more of it.
    if not settings.REPLICAS and isinstance(error, Exception) and is_primary_lost(error):
        return unavailable_response(request, NO_ANSWER, str(error))
    return None


def unavailable_response(request: HttpRequest, message: str, reason: str) -> HttpResponse:
    """503 as a page or as JSON. `reason` is for the log."""
    logger.warning("%s %s: %s", request.method, request.path, " ".join(reason.split()))
    response: HttpResponse
    if request.path.startswith("/api/"):
        response = JsonResponse({"detail": message}, status=503)
    else:
        response = HttpResponse(render_to_string("503.html", {"says": message}), status=503)
    response.headers["Retry-After"] = str(RETRY_AFTER)
    # Django would log it once more, with a traceback of what is no programming error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
