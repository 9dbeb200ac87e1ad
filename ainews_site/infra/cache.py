"""Cache access behind a circuit breaker: if Redis is unavailable, callers carry on without it.

A Redis that hangs, rejects the password or is full costs one time-out. From then on no request
waits for it: a background thread probes it every few seconds until it answers again.
"""

import logging
import os
import re
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from django.core.cache import BaseCache
from django.core.cache import cache as django_cache

T = TypeVar("T")

PAUSE = 5.0
"""Seconds between two probes of a cache that failed."""
NO_ANSWER = "does not answer"
ADVICE = {
    NO_ANSWER: "Is it running? Check REDIS_URL.",
    "rejects the password": "Check the user and the password in REDIS_URL.",
    "is out of memory": "Raise its maxmemory, or set maxmemory-policy to allkeys-lru.",
    "is a read-only replica": "Set REDIS_URL to its primary.",
    "refuses writes because it cannot save to disk": "Free disk space, or disable `save`.",
    "is still loading its data": "Try again in a moment.",
    "denies this user a command that AI News needs": "Grant +@all ~*, or check REDIS_URL.",
    "accepts no more connections": "Raise its maxclients.",
    "has no database with that number": "Check the number at the end of REDIS_URL.",
}
"""What to do, by problem. A problem is a phrase that follows the name of the server, as in "Redis
does not answer"."""
_PATTERNS = (
    (r"AuthenticationError|AuthenticationWrong|NOAUTH|WRONGPASS", 1),
    (r"OutOfMemoryError|OOM command", 2),
    (r"ReadOnlyError|READONLY", 3),
    (r"MISCONF", 4),
    (r"BusyLoadingError|LOADING", 5),
    (r"NoPermissionError|NOPERM", 6),
    (r"max number of clients", 7),
    (r"DB index", 8),
)

logger = logging.getLogger(__name__)


class CacheUnavailable(Exception):
    """The cache can't be used now. The message is a phrase that follows the cache's name."""


def in_words(error: BaseException) -> str:
    """Return the problem that `error` shows, a key of ADVICE."""
    text = f"{type(error).__name__}: {error}"
    number = next((number for pattern, number in _PATTERNS if re.search(pattern, text)), 0)
    return list(ADVICE)[number]


class Circuit:
    """The circuit breaker of this process. It is closed, and `problem` empty, while the cache
    answers."""

    def __init__(self) -> None:
        self.problem = ""
        self._probed_at = 0.0
        self._lock = threading.Lock()
        # A fork doesn't have the thread that may hold the lock.
        os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self._lock = threading.Lock()

    def run(self, operation: Callable[[BaseCache], T]) -> T:
        """Return what `operation` returns for the cache.

        Raises CacheUnavailable if it fails, and at once while the circuit is open.
        """
        if self.problem:
            self._probe_in_background()
            raise CacheUnavailable(self.problem)
        try:
            return operation(django_cache)
        except Exception as error:
            if _is_server_error(error):
                self.open(error)
            else:  # treat a value pickled by another release as a cache miss
                logger.exception("A cached value cannot be read.")
            raise CacheUnavailable(self.problem or "has a value that cannot be read") from error

    def current_problem(self) -> str:
        """Return the current problem, or "". Never blocks while the circuit is open."""
        if not self.problem:
            return self.probe()
        self._probe_in_background()
        return self.problem

    def probe(self) -> str:
        """Probe the cache now, and return its problem, or "".

        The probe is a write, because a cache that is full still answers reads.
        """
        try:
            django_cache.set("probe", "1", 10)
            self._close()
        except Exception as error:  # noqa: BLE001 - any error of the backend is the result
            self.open(error)
        return self.problem

    def open(self, error: BaseException) -> None:
        """Stop using the cache, which just failed with `error`, until a probe succeeds."""
        before, self.problem = self.problem, in_words(error)
        self._probed_at = time.monotonic()
        if before != self.problem:
            logger.warning("Redis %s. Pages and ingest continue without it.", self.problem)

    def _close(self) -> None:
        before, self.problem = self.problem, ""
        if before:
            logger.warning("Redis is back.")

    def _probe_in_background(self) -> None:
        """Probe in a thread, because no request shall wait for it; once in PAUSE seconds."""
        is_soon = time.monotonic() - self._probed_at < PAUSE
        if not is_soon and self._lock.acquire(blocking=False):
            threading.Thread(target=self._probe_and_release, daemon=True).start()

    def _probe_and_release(self) -> None:
        try:
            self.probe()
        finally:
            self._lock.release()


def _is_server_error(error: Exception) -> bool:
    """Return True if the server or the connection failed, rather than reading a value.

    Errors of redis-py are recognised by the name of their module, because it is not imported
    where there is no Redis.
    """
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool({"redis", "django_redis"} & modules)


circuit = Circuit()


def with_cache(operation: Callable[[BaseCache], T]) -> T:
    """Return what `operation` returns for the cache. Raises CacheUnavailable, see Circuit.run."""
    return circuit.run(operation)
