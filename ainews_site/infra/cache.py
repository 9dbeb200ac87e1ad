"""The cache, which may go at any moment and must take nothing with it.

A Redis that hangs, refuses the password or is full costs one time-out: from then on nobody
waits for it, and a thread of its own asks it every few seconds, until it answers again.
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
"""Seconds for which one that failed is not asked."""
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
"""What may be wrong with it, after its name; and what to do."""
_SAID = (
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


class CacheAway(Exception):
    """It is not to be asked now; the message says why, after its name."""


def in_words(error: BaseException) -> str:
    """What is wrong with Redis, one of ADVICE."""
    said = f"{type(error).__name__}: {error}"
    number = next((number for pattern, number in _SAID if re.search(pattern, said)), 0)
    return list(ADVICE)[number]


class Circuit:
    """What this process knows of the cache: closed as long as it answers."""

    def __init__(self) -> None:
        self.problem = ""
        self._asked = 0.0
        self._lock = threading.Lock()
        # The thread that held it is not there in a fork.
        os.register_at_fork(after_in_child=self._unlock)

    def _unlock(self) -> None:
        self._lock = threading.Lock()

    def ask(self, act: Callable[[BaseCache], T]) -> T:
        if self.problem:
            self._look_again()
            raise CacheAway(self.problem)
        try:
            return act(django_cache)
        except Exception as error:
            if _is_of_server(error):
                self.lose(error)
            else:  # a value that this release cannot read is none
                logger.exception("What the cache kept cannot be read.")
            raise CacheAway(self.problem or "keeps what cannot be read") from error

    def problem_now(self) -> str:
        """Its problem, or nothing; waits for none that is known to be away."""
        if not self.problem:
            return self.look()
        self._look_again()
        return self.problem

    def look(self) -> str:
        """Ask it now, by a write, as a full one still reads; its problem, or nothing."""
        try:
            django_cache.set("look", "1", 10)
            self._regain()
        except Exception as error:  # noqa: BLE001 - whatever the backend raises is the finding
            self.lose(error)
        return self.problem

    def lose(self, error: BaseException) -> None:
        """Ask it no more for a while: it has just failed."""
        before, self.problem = self.problem, in_words(error)
        self._asked = time.monotonic()
        if before != self.problem:
            logger.warning("Redis %s. Pages and ingest continue without it.", self.problem)

    def _regain(self) -> None:
        before, self.problem = self.problem, ""
        if before:
            logger.warning("Redis is back.")

    def _look_again(self) -> None:
        """In a thread, as no request shall wait for it."""
        is_soon = time.monotonic() - self._asked < PAUSE
        if not is_soon and self._lock.acquire(blocking=False):
            threading.Thread(target=self._look_and_release, daemon=True).start()

    def _look_and_release(self) -> None:
        try:
            self.look()
        finally:
            self._lock.release()


def _is_of_server(error: Exception) -> bool:
    """redis-py is not loaded where there is no Redis, so its errors are known by name."""
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError) or bool({"redis", "django_redis"} & modules)


circuit = Circuit()


def asked(act: Callable[[BaseCache], T]) -> T:
    """What `act` gets of the cache. Raises CacheAway, at once from the second time on."""
    return circuit.ask(act)
