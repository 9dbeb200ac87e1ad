"""Answer a client again that was refused a moment ago, before anything is looked up for it.

A program that sends many costly requests at once often repeats them as soon as they are refused.
Under daphne each request has a thread of its own, so the refusal is held back for a moment, which
slows the client down. gunicorn has few threads, so there it is given at once.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings
from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, HttpResponse

from accounts.costly import TooManyAtOnce
from accounts.middleware import too_many
from accounts.signin_guard import client_network
from ainews_site.infra.process_state import resets_process_state

REFUSED = 1.0
"""Seconds for which a client is refused again at the same address, and an answer is held back."""
MOST_REFUSED = 10_000
MOST_HELD = 50

Client = tuple[str, str, str]


class Refusals:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self._until: OrderedDict[Client, float] = OrderedDict()
        self._held = 0

    def add(self, client: Client) -> None:
        with self._lock:
            self._until.pop(client, None)
            self._until[client] = time.monotonic() + REFUSED
            if len(self._until) > MOST_REFUSED:
                self._until.popitem(last=False)

    def __bool__(self) -> bool:
        return bool(self._until)

    def covers(self, client: Client) -> bool:
        until = self._until.get(client)
        if until is None:
            return False
        if until > time.monotonic():
            return True
        self._until.pop(client, None)
        return False

    def hold(self) -> None:
        """Wait a moment, unless many do."""
        with self._lock:
            if self._held >= MOST_HELD:
                return
            self._held += 1
        try:
            time.sleep(REFUSED)
        finally:
            with self._lock:
                self._held -= 1


refusals = Refusals()
resets_process_state(refusals.clear)


class RefusalMiddleware:
    """It must stand before SessionMiddleware, so that a repeated refusal costs no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if refusals and refusals.covers(_client(request)):
            if isinstance(request, ASGIRequest):
                refusals.hold()
            return too_many(request, TooManyAtOnce())
        response = self.get_response(request)
        if isinstance(getattr(response, "refusal", None), TooManyAtOnce):
            refusals.add(_client(request))
        return response


def _client(request: HttpRequest) -> Client:
    """Whoever sends these credentials, which nobody has looked up yet, or has this address."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    authorization = request.META.get("HTTP_AUTHORIZATION", "")
    address = session or client_network(request)
    return address, authorization, f"{request.method} {request.path_info}"
