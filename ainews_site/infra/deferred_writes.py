"""Writes that a reading request can do without, such as that an item was opened.

They are tried at once, but wait for a lock only for a moment. Small ones are then kept in this
process, and a thread does them in their order when the lock is free.
"""

import atexit
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, connection, transaction

from ainews_site.infra.sqlite_lock import busy_timeout, holds_write_lock, is_locked

Write = Callable[[], object]

PATIENCE = 0.25
"""Seconds that a request waits for the lock: longer than an ordinary write takes."""
MOST_WAITING = 10_000
LONGEST_WAIT = 3600.0
"""Seconds after which a write is given up."""
AT_EXIT = 2.0
"""Seconds that the end of the process waits for writes that are still to be done."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    number: int
    since: float
    write: Write


class DeferredWrites:
    """The writes of this process that wait for the lock."""

    def __init__(self) -> None:
        self._reset()
        # The thread that works them off is not there in a fork.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._waiting: dict[Hashable, _Waiting] = {}
        self._count = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def do(self, key: Hashable, write: Write) -> bool:
        """Whether it was done at once. What waits under the same `key` already is not kept twice.
        Each write must be a transaction, so that it can be tried again.
        """
        if not self._waiting and try_now(write):
            return True
        self._keep(key, write)
        return False

    def flush(self, seconds: float) -> bool:
        """Wait, for so long at most, until what is waiting now is done; whether it is. Requests
        that change something begin with it, so that they come after what was deferred."""
        with self._changed:
            newest = self._count
            return self._changed.wait_for(lambda: self._first_number() > newest, seconds)

    def _first_number(self) -> float:
        return next((one.number for one in self._waiting.values()), math.inf)

    def _keep(self, key: Hashable, write: Write) -> None:
        with self._changed:
            if len(self._waiting) >= MOST_WAITING:
                logger.warning("Too many writes wait for the database; one is left out.")
                return
            self._count += 1
            self._waiting.setdefault(key, _Waiting(self._count, time.monotonic(), write))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        """Until none is left. The first one keeps its place until it is done, so that no other
        overtakes it."""
        while True:
            key, first = next(iter(self._waiting.items()))
            is_done = self._attempt(first.write) or time.monotonic() - first.since > LONGEST_WAIT
            with self._changed:
                if is_done:
                    del self._waiting[key]
                    self._changed.notify_all()
                if not self._waiting:
                    self._thread = None
                    return

    def _attempt(self, write: Write) -> bool:
        """Whether it needs no other attempt."""
        try:
            return try_now(write, 1.0)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A deferred write failed: %s", " ".join(str(error).split()))
        except Exception:  # one that fails must not keep the others
            logger.exception("A deferred write failed.")
        finally:
            connection.close()
        return True


def write_if_free(write: Write) -> bool:
    """For what costs something to prepare: whether the lock was free, and it was done."""
    if holds_write_lock(seconds=PATIENCE):
        return False
    try:
        with busy_timeout(PATIENCE):
            write()
    except Exception as error:
        if not is_locked(error):
            raise
        return False
    return True


def try_now(write: Write, patience: float = PATIENCE) -> bool:
    """Do it if the lock is free or becomes free soon; whether it was."""
    try:
        with busy_timeout(patience), _lock_timeout(patience):
            write()
    except Exception as error:
        if not is_locked(error):
            raise
        return False
    return True


@contextmanager
def _lock_timeout(seconds: float) -> Iterator[None]:
    """The same on PostgreSQL, where a row may be locked, such as the reader's own."""
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{round(seconds * 1000)}ms'")
        yield


deferred = DeferredWrites()
atexit.register(deferred.flush, AT_EXIT)
