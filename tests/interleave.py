"""Run database work in threads that stop at a chosen statement, so that races are repeatable."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from django.db import connection

T = TypeVar("T")
PATIENCE = 30.0
"""Seconds after which a test that is stuck fails."""


class Interleaved(Generic[T]):
    """Runs `work` in a thread with a connection of its own.

    With `stop_before`, the thread stops once, before the first statement that starts with that
    SQL, until `go_on` is called. Leaving the `with` block lets the thread end.
    """

    def __init__(self, work: Callable[[], T], stop_before: str = "") -> None:
        self._work, self._stop_before = work, stop_before
        self._reached, self._may_go_on = threading.Event(), threading.Event()
        self._outcome: list[T] = []
        self._error: BaseException | None = None
        self.pid = 0
        """Of this thread's session on PostgreSQL."""
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._may_go_on.set()
        self._thread.join(PATIENCE)

    def wait_until_stopped(self) -> None:
        assert self._reached.wait(PATIENCE), "the statement was not reached"
        if self._error:
            raise self._error
        assert self._thread.is_alive(), f"no statement starts with {self._stop_before}"

    def go_on(self) -> None:
        self._may_go_on.set()

    def result(self) -> T:
        """The result of the work, or its exception."""
        self._may_go_on.set()
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive(), "the work did not end"
        if self._error:
            raise self._error
        return self._outcome[0]

    def wait_until_blocked(self) -> None:
        """Returns once PostgreSQL says that the session waits for a lock; fails if it ends."""
        until = time.monotonic() + PATIENCE
        while time.monotonic() < until:
            assert self._thread.is_alive(), "the work ended without waiting for a lock"
            if self.pid and _waits(self.pid):
                return
            time.sleep(0.01)
        raise AssertionError("the work neither ended nor waited for a lock")

    def _run(self) -> None:
        try:
            connection.ensure_connection()
            self.pid = _session_pid()
            with connection.execute_wrapper(self._pause):
                self._outcome.append(self._work())
        except BaseException as error:  # raised again in the test's thread
            self._error = error
        finally:
            connection.close()
            self._reached.set()

    def _pause(
        self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any
    ) -> Any:
        if self._stop_before and sql.startswith(self._stop_before) and not self._reached.is_set():
            self._reached.set()
            assert self._may_go_on.wait(PATIENCE)
        return execute(sql, params, many, context)


def _session_pid() -> int:
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return int(cursor.fetchone()[0])


def _waits(pid: int) -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s", [pid])
        row = cursor.fetchone()
    return row is not None and row[0] == "Lock"
