"""Lets replicas answer requests that only read, also while the primary is down.

It is used only where DATABASE_REPLICA_URLS names replicas.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

from django.conf import settings
from django.core.cache import BaseCache
from django.db import DatabaseError, InterfaceError, connections
from django.http import HttpRequest, HttpResponse
from django.shortcuts import resolve_url

from accounts.models import hash_token
from ainews_site.infra.cache import CacheUnavailable, with_cache
from ainews_site.infra.db_router import (
    Reading,
    current_reading,
    is_primary_lost,
    read_lsn,
    reading_as,
    signed_lsn,
)
from ainews_site.infra.replicas import PRIMARY, primary, replicas
from ainews_site.unavailable import NO_ANSWER, READING, unavailable_response

LSN_SECONDS = 3600
"""How long a reader carries an LSN. A healthy replica has replayed it long before that."""
COOKIE, HEADER = "position", "X-Position"
NO_WRITES = (
    "Changes are temporarily unavailable because the primary database does not respond. Reading"
    " still works. Check in a moment whether your change was saved, and try again if it wasn't."
)
UNKNOWN_LSN = 1 << 63
"""No replica has replayed this LSN, so the primary answers."""


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
        return with_lsn(request, response)

    def _read(self, request: HttpRequest) -> HttpResponse:
        known = known_lsn(request)
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
        # The next page must not lack what the primary has shown on this one.
        return with_lsn(request, response)

    def _answer(self, request: HttpRequest, reading: Reading) -> tuple[Reading, HttpResponse]:
        with reading_as(reading):
            return reading, self.get_response(request)

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        """Return a 503 if the primary failed. Other errors are left to the next middleware."""
        reading = current_reading()
        by_replica = reading is not None and reading.is_by_replica and not reading.has_written
        if by_replica or not is_primary_lost(error):
            return None
        return unavailable(request)


def _is_cut_off(response: HttpResponse) -> bool:
    """Return True if the primary failed outside a view, where `process_exception` isn't called."""
    return response.status_code == 500 and not primary().opens()


def _has_failed(reading: Reading, response: HttpResponse) -> bool:
    """Return True if the replica failed, and mark it as lost, so that another server answers."""
    if response.status_code != 500 or not connections[reading.alias].errors_occurred:
        return False
    next(replica for replica in replicas() if replica.alias == reading.alias).lose()
    return True


def _is_doubtful(request: HttpRequest, response: HttpResponse) -> bool:
    """Return True if a replica lacked something that the primary may have.

    This can be a page, a token, or a session. htmx is sent to the sign-in page, or told that
    another reader is signed in, by a header.
    """
    has_session = settings.SESSION_COOKIE_NAME in request.COOKIES
    if "HX-Redirect" in response.headers or "HX-Refresh" in response.headers:
        return has_session
    if response.status_code in (301, 302):
        signin = response.headers["Location"].startswith(resolve_url(settings.LOGIN_URL))
        return signin and has_session
    return response.status_code in (401, 403, 404)


def known_lsn(request: HttpRequest) -> int:
    """Return the newest LSN that this reader carries by cookie, by header, or by API token."""
    signed = [request.COOKIES.get(COOKIE, ""), request.headers.get(HEADER, "")]
    if key := _token_key(request):
        try:
            signed.append(with_cache(partial(_cached_lsn, key)))
        except CacheUnavailable:
            return UNKNOWN_LSN
    return max(map(read_lsn, signed))


def with_lsn(request: HttpRequest, response: HttpResponse) -> HttpResponse:
    """Return `response` with the primary's LSN for the reader to carry.

    A browser gets it as a cookie. For an API token, which stands for a program without cookies,
    it is sent as a header and cached.
    """
    try:
        lsn = signed_lsn() if primary().opens() else ""
    except (DatabaseError, InterfaceError):
        lsn = ""
    if not lsn:  # the primary failed in the meantime
        return response
    if not (key := _token_key(request)):
        secure = settings.SESSION_COOKIE_SECURE
        response.set_cookie(COOKIE, lsn, LSN_SECONDS, secure=secure, httponly=True, samesite="Lax")
        return response
    response.headers[HEADER] = lsn
    with suppress(CacheUnavailable):  # known_lsn can't read it either, so the primary answers
        with_cache(lambda cache: cache.set(key, lsn, LSN_SECONDS))
    return response


def _cached_lsn(key: str, cache: BaseCache) -> str:
    """Return the signed LSN that any process has cached for this API token.

    A full cache answers reads but may lack the newest LSN. The write makes it fail, so that
    the primary answers.
    """
    cache.add(key, "", LSN_SECONDS)
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
