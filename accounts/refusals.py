"""Refuses repeated requests of a client that was just refused, before any query is made.

A program that sends many costly requests at once often repeats them as soon as they are refused.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from accounts.costly import TooManyAtOnce
from accounts.delays import delay_refusal
from accounts.middleware import too_many
from accounts.signin_guard import client_network
from ainews_site.infra.process_state import resets_process_state

REFUSED = 1.0
"""Seconds for which a client is refused again at the same address."""
MAX_REFUSED = 10_000

Client = tuple[str, str, str]


class Refusals:
    """The clients of this process that were just refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self._until: OrderedDict[Client, float] = OrderedDict()

    def add(self, client: Client) -> None:
        with self._lock:
            self._until.pop(client, None)
            self._until[client] = time.monotonic() + REFUSED
            if len(self._until) > MAX_REFUSED:
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


refusals = Refusals()
resets_process_state(refusals.clear)


class RefusalMiddleware:
    """Refuses repeated requests. It must be before SessionMiddleware, so that it costs no query."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if refusals and refusals.covers(_client(request)):
            delay_refusal(request)
            return too_many(request, TooManyAtOnce())
        response = self.get_response(request)
        if isinstance(getattr(response, "refusal", None), TooManyAtOnce):
            refusals.add(_client(request))
        return response


def _client(request: HttpRequest) -> Client:
    """Identify the client by its credentials, which are not checked yet, or by its address."""
    session = request.COOKIES.get(settings.SESSION_COOKIE_NAME, "")
    authorization = request.META.get("HTTP_AUTHORIZATION", "")
    address = session or client_network(request)
    return address, authorization, f"{request.method} {request.path_info}"
