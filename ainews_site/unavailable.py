"""Answers 503 with an explanation if the database is locked, down or not migrated."""

import logging
import sys
from collections.abc import Callable

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse

from ainews_site.errors import server_error_page
from ainews_site.infra.db_errors import is_disk_full
from ainews_site.infra.db_router import is_primary_lost
from ainews_site.infra.deferred_writes import deferred
from ainews_site.infra.problem_page import Problem, problem_response
from ainews_site.infra.schema import explain
from ainews_site.infra.sqlite_lock import is_locked

READING = ("GET", "HEAD", "OPTIONS")
RETRY_AFTER = 10
"""Seconds."""
LOCKED = (
    "Your change could not be saved, because another program has locked the database."
    " Reading works. Try again in a moment."
)
LOCKED_READING = (
    "This page needs to save something, and another program has locked the database."
    " Try again in a moment."
)
DISK_FULL = (
    "The disk of the server is full. The administrator has to free some space. Reading works."
)
NO_ANSWER = "The database does not respond. Try again in a moment."
NOT_MIGRATED = "The site's database is not set up for this version yet. The log says what to do."

logger = logging.getLogger(__name__)


class DatabaseErrorMiddleware:
    """Turns database errors of views into responses 503.

    A request that changes something waits for the deferred writes of this process. Otherwise an
    item that was opened and then marked unread could become read again.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method not in READING and not deferred.flush(settings.SQLITE_BUSY_TIMEOUT):
            return unavailable_response(request, LOCKED, "deferred writes still wait")
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        return response_to(request, error)


def server_error(request: HttpRequest) -> HttpResponse:
    """Handle errors outside of views, such as a session that cannot be saved, in the same way.

    Other errors get the usual response 500.
    """
    error = sys.exc_info()[1]
    response = response_to(request, error) if error else None
    return response or server_error_page(request)


def response_to(request: HttpRequest, error: BaseException) -> HttpResponse | None:
    """Return the response 503 to a database error, or None for other errors."""
    if is_locked(error):
        message = LOCKED_READING if request.method in READING else LOCKED
        return unavailable_response(request, message, str(error))
    if problem := explain(error):
        return unavailable_response(request, NOT_MIGRATED, problem)
    if isinstance(error, DatabaseError) and is_disk_full(error):
        return unavailable_response(request, DISK_FULL, str(error))
    # With replicas, ainews_site.replica_middleware handles it.
    if not settings.REPLICAS and isinstance(error, Exception) and is_primary_lost(error):
        return unavailable_response(request, NO_ANSWER, str(error))
    return None


def unavailable_response(request: HttpRequest, message: str, reason: str) -> HttpResponse:
    """Return a response 503 with `message`, as a page or as JSON. `reason` is logged."""
    logger.warning("%s %s: %s", request.method, request.path, " ".join(reason.split()))
    is_reading = request.method in READING
    response = problem_response(
        request,
        503,
        Problem(
            "Temporarily unavailable",
            message,
            "Your news is safe." if is_reading else "Nothing was saved.",
            link=request.get_full_path() if is_reading else "/",
            label="Try again" if is_reading else "Back to stories",
        ),
    )
    response.headers["Retry-After"] = str(RETRY_AFTER)
    # Otherwise Django would log it again with a traceback, although it is no programming error.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
