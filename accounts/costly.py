"""Limits costly requests, so that one reader cannot slow down the pages of all others.

Searches, questions and ranked stories use a CPU for a moment. A reader has COSTLY_AT_ONCE slots for
them on each machine. A request without a free slot waits briefly. Few may wait, because they occupy
threads; the others get a response 429 at once. A reader who sends costly requests for long gets a
share of the time: after a burst, each request is delayed a little.

A slot is a file lock that the kernel releases when the process ends. It needs no query. Each
process counts bursts by itself.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.conf import settings
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from accounts.limits import TooMany
from accounts.signin_guard import client_network
from ainews_site.infra.machine_lock import machine_lock
from ainews_site.infra.process_state import resets_process_state

P = ParamSpec("P")
AnyRequest = TypeVar("AnyRequest", bound=Any)
Response = TypeVar("Response")

SHARE = 0.25
BURST = 3.0
"""After BURST seconds of costly requests, a reader gets SHARE of the time."""
PATIENCE, POLL = 2.0, 0.05
"""Maximum seconds that a request waits for a slot or is delayed, and between two attempts."""
MAX_WAITING = 2
"""Maximum number of requests of one process that wait for a slot. gunicorn has four threads."""
MAX_CALLERS = 10_000

_AHEAD = BURST * (1 / SHARE - 1)
"""Seconds by which a reader may be ahead of their share before requests are delayed."""

logger = logging.getLogger(__name__)


class TooManyAtOnce(TooMany):
    """The reader has too many costly requests at once.

    If the client repeats this request at once, accounts.refusals refuses it.
    """

    def __init__(self, message: str = "", wait: float = 1) -> None:
        super().__init__(wait, "of your requests are running")
        if message:
            self.args = (message,)


class Slots:
    """The slots of all callers. A caller is a string that `caller_of` returns."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        self._waiting = 0
        self._paid: OrderedDict[str, float] = OrderedDict()

    @contextmanager
    def taken(self, caller: str) -> Iterator[None]:
        """Hold a slot of `caller` inside the `with` block.

        Raises TooManyAtOnce if none gets free.
        """
        if settings.COSTLY_AT_ONCE < 1:
            yield
            return
        with ExitStack() as stack:
            if not _take(caller, stack):
                self._wait(caller, stack)
            time.sleep(self._pause(caller))
            started = time.monotonic()
            try:
                yield
            finally:
                self._charge(caller, started)

    def _wait(self, caller: str, stack: ExitStack) -> None:
        with self._lock:
            if self._waiting >= MAX_WAITING:
                raise TooManyAtOnce
            self._waiting += 1
        try:
            until = time.monotonic() + PATIENCE
            while not _take(caller, stack):
                if time.monotonic() > until:
                    raise TooManyAtOnce
                time.sleep(POLL)
        finally:
            with self._lock:
                self._waiting -= 1

    def _pause(self, caller: str) -> float:
        """Return the delay in seconds for a caller who is too far ahead of their share."""
        with self._lock:
            wait = self._paid.get(caller, 0) - time.monotonic() - _AHEAD
        return min(max(wait, 0), PATIENCE)

    def _charge(self, caller: str, started: float) -> None:
        """Charge the caller for the time since `started`.

        `_paid` is the monotonic time at which their share has made up for all of it.
        """
        with self._lock:
            before = max(self._paid.pop(caller, 0), started)
            self._paid[caller] = before + (time.monotonic() - started) / SHARE
            if len(self._paid) > MAX_CALLERS:
                self._paid.popitem(last=False)


def _take(caller: str, stack: ExitStack) -> bool:
    """Take a free slot, which `stack` releases. Returns False if there is none."""
    for number in range(settings.COSTLY_AT_ONCE):
        lock = machine_lock(f"costly-{caller}-{number}")
        try:
            is_mine = lock.__enter__()
        except OSError as error:  # a full disk must not block readers
            logger.warning("costly_slot_failed reason=%s", error)
            return True
        stack.push(lock)
        if is_mine:
            return True
    return False


slots = Slots()
resets_process_state(slots.clear)


def caller_of(request: HttpRequest) -> str:
    """Return the id of the reader, or a hash of the address of an anonymous client.

    It is part of a file name.
    """
    if request.user.is_authenticated:
        return str(request.user.pk)
    address = salted_hmac("accounts.costly", client_network(request), algorithm="sha256")
    return f"address-{address.hexdigest()[:32]}"


def costly(
    view: Callable[Concatenate[AnyRequest, P], Response],
) -> Callable[Concatenate[AnyRequest, P], Response]:
    """Decorator for a view that needs one of the caller's slots."""

    @wraps(view)
    def limited(request: AnyRequest, /, *args: P.args, **kwargs: P.kwargs) -> Response:
        with slots.taken(caller_of(request)):
            return view(request, *args, **kwargs)

    return limited
