"""Requests that only read may be answered by a replica, and what happens when the primary
is away. In use only where DATABASE_REPLICA_URLS names replicas."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from django.conf import settings
from django.core.cache import BaseCache
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from accounts.models import hash_token
from ainews_site.infra.cache import CacheAway, asked
from ainews_site.infra.db_router import (
    Reading,
    current_reading,
    is_primary_lost,
    read_position,
    reading_as,
    signed_position,
)
from ainews_site.infra.replicas import PRIMARY, primary, replicas
from ainews_site.unavailable import NO_ANSWER, READING, unavailable_response

KEPT = 3600
"""Seconds that a position is kept. A replica that is fit has passed it long before."""
COOKIE, HEADER = "position", "X-Position"
NO_WRITES = (
    "Changes are temporarily unavailable because the primary database does not respond. Reading"
    " still works. Check in a moment whether your change was saved, and try again if it wasn't."
)
ALL_POSITIONS = 1 << 63


class ReplicaMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._read(request) if request.method in READING else self._write(request)

    def _write(self, request: HttpRequest) -> HttpResponse:
        if not primary().opens():
            return unavailable(request)
        response = self.get_response(request)
        if _is_cut_off(response):
            return unavailable(request)
        return with_position(request, response)

    def _read(self, request: HttpRequest) -> HttpResponse:
        known = known_position(request)
        reading, response = self._answer(request, Reading(known, _reader(request)))
        if reading.is_by_replica and not reading.has_written:
            if _has_failed(reading, response):
                reading, response = self._answer(request, Reading(known, _reader(request)))
            elif _is_doubtful(request, response) and primary().opens():
                reading, response = self._answer(request, Reading(alias=PRIMARY))
        if not reading.is_by_primary:
            return response
        if _is_cut_off(response):
            return unavailable(request)
        # What came from the primary once, the next page must not lack.
        return with_position(request, response)

    def _answer(self, request: HttpRequest, reading: Reading) -> tuple[Reading, HttpResponse]:
        with reading_as(reading):
            return reading, self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """503 in words when it is the primary that failed; all else is as ever."""
        reading = current_reading()
        by_replica = reading is not None and reading.is_by_replica and not reading.has_written
        if by_replica or not is_primary_lost(error):
            return None
        return unavailable(request)


def _is_cut_off(response: HttpResponse) -> bool:
    """Whether the primary failed outside a view, where no exception is handed to us."""
    return response.status_code == 500 and not primary().opens()


def _has_failed(reading: Reading, response: HttpResponse) -> bool:
    """Whether the replica broke off: it is left alone for a while, and another one asked."""
    if response.status_code != 500 or not connections[reading.alias].errors_occurred:
        return False
    next(one for one in replicas() if one.alias == reading.alias).lose()
    return True


def _is_doubtful(request: HttpRequest, response: HttpResponse) -> bool:
    """Whether a replica did not find what the primary may have: a page, a token, a session."""
    if response.status_code in (301, 302):
        signin = response.headers["Location"].startswith(resolve_url(settings.LOGIN_URL))
        return signin and settings.SESSION_COOKIE_NAME in request.COOKIES
    return response.status_code in (401, 403, 404)


def known_position(request: HttpRequest) -> int:
    """The furthest that this reader knows of, by cookie, by header or by API token."""
    signed = [request.COOKIES.get(COOKIE, ""), request.headers.get(HEADER, "")]
    if key := _token_key(request):
        try:
            signed.append(asked(partial(_kept_position, key)))
        except CacheAway:
            return ALL_POSITIONS
    return max(map(read_position, signed))


def with_position(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """The response with the primary's position; programs that keep no cookies have it
    kept for them."""
    try:
        position = signed_position() if primary().opens() else ""
    except (DatabaseError, InterfaceError):
        position = ""
    if not position:  # the primary has gone meanwhile
        return response
    if not (key := _token_key(request)):
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(COOKIE, position, KEPT, secure=secure, httponly=True, samesite="Lax")
        return response
    response.headers[HEADER] = position
    with suppress(CacheAway):  # then nobody can say how far it is, and the primary answers
        asked(lambda cache: cache.set(key, position, KEPT))
    return response


def _kept_position(key: str, cache: BaseCache) -> str:
    """Where another process kept it. A full cache reads but kept none of late: it shows by a
    write that it does not take."""
    cache.add(key, "", KEPT)
    return str(cache.get(key, ""))


def _token_key(request: HttpRequest) -> str:
    token = request.headers.get("Authorization", "")
    return f"position-{hash_token(token)}" if token else ""


def _reader(request: HttpRequest) -> str:
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    return session or request.headers.get("Authorization", "")


def unavailable(request: HttpRequest) -> HttpResponse:
    message = NO_ANSWER if request.method in READING else NO_WRITES
    return unavailable_response(request, message, "the primary does not answer.")
