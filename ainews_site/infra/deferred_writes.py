"""Optional writes of requests that read, such as recording that an item was opened.

A write is tried at once, but waits for a lock only for a moment. If the lock is held, the write is
queued in this process, and a background thread performs the queued writes in their order when the
lock is free.
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
from ainews_site.observe.context import carrying_ids

Write = Callable[[], object]

PATIENCE = 0.25
"""How long a request waits for the lock, in seconds. Ordinary writes take less."""
MAX_QUEUED = 10_000
MAX_AGE = 3600.0
"""Seconds after which a queued write is dropped."""
AT_EXIT = 2.0
"""How long the process waits at its exit for queued writes, in seconds."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Queued:
    number: int
    since: float
    write: Write


class DeferredWrites:
    """The queue of writes of this process that wait for the lock."""

    def __init__(self) -> None:
        self._reset()
        # A fork doesn't have the thread that performs the writes.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._queue: dict[Hashable, _Queued] = {}
        self._count = 0
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def __len__(self) -> int:
        return len(self._queue)

    def do(self, key: Hashable, write: Write) -> bool:
        """Perform `write` now, or queue it. Returns whether it was done now.

        It is dropped if a write with the same `key` is queued already. Each write must be a
        transaction, so that it can be tried again.
        """
        if not self._queue and try_now(write):
            return True
        self._enqueue(key, write)
        return False

    def flush(self, seconds: float) -> bool:
        """Wait at most `seconds` until the writes queued now are done. Returns whether they are.

        Requests that change something call it first, so that they take effect after the deferred
        writes.
        """
        with self._changed:
            newest = self._count
            return self._changed.wait_for(lambda: self._first_number() > newest, seconds)

    def _first_number(self) -> float:
        return next((queued.number for queued in self._queue.values()), math.inf)

    def _enqueue(self, key: Hashable, write: Write) -> None:
        with self._changed:
            if len(self._queue) >= MAX_QUEUED:
                logger.warning("Too many deferred writes are waiting. One was dropped.")
                return
            self._count += 1
            self._queue.setdefault(key, _Queued(self._count, time.monotonic(), carrying_ids(write)))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        """Perform the queued writes until none is left.

        A write stays first in the queue until it is done, so that no other overtakes it.
        """
        while True:
            key, first = next(iter(self._queue.items()))
            is_done = self._attempt(first.write) or time.monotonic() - first.since > MAX_AGE
            with self._changed:
                if is_done:
                    del self._queue[key]
                    self._changed.notify_all()
                if not self._queue:
                    self._thread = None
                    return

    def _attempt(self, write: Write) -> bool:
        """Try `write`. Returns False if it must be tried again."""
        try:
            return try_now(write, 1.0)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("A deferred write failed: %s", " ".join(str(error).split()))
        except Exception:  # a write that fails must not block the others
            logger.exception("A deferred write failed.")
        finally:
            connection.close()
        return True


def write_if_free(write: Write) -> bool:
    """Call `write` only if the lock is free. Returns whether it was done.

    Use it for writes that are costly to prepare: `write` is not even called while the lock is held.
    """
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
    """Call `write`, and wait at most `patience` seconds for a lock. Returns whether it was done."""
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
    """Limit the wait for a lock on PostgreSQL, where a row may be locked, such as the reader's."""
    if connection.vendor != "postgresql" or connection.in_atomic_block:
        yield
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{round(seconds * 1000)}ms'")
        yield


deferred = DeferredWrites()
atexit.register(deferred.flush, AT_EXIT)
