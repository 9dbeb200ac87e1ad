"""Keeps SQLite connections open between requests.

Opening one costs milliseconds: the file, the schema, the PRAGMAs and Django's functions. Django's
CONN_MAX_AGE keeps a connection for each thread, but daphne runs each request in a new one, whose
connection would stay open until the garbage collector finds it. A pool serves both servers.
"""

import atexit
import os
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

MAX_IDLE = 4
"""Connections that stay open: gunicorn has four threads. Others are closed after their request."""

Identity = tuple[int, int]


def identity_of(path: str) -> Identity | None:
    """Return what distinguishes the file from one that is put in its place; None without a file."""
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


class Pool:
    """The idle connections of this process, the last used one first, as its cache is warm."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: list[tuple[str, Identity, sqlite3.Connection]] = []
        self._inherited: list[object] = []
        os.register_at_fork(after_in_child=self._forget)
        atexit.register(self.close)

    def __len__(self) -> int:
        return len(self._idle)

    def take(self, path: str) -> tuple[sqlite3.Connection, Identity] | None:
        """Return an idle connection to the file that is at `path` now, or None.

        Connections to a file that was moved away or replaced are closed.
        """
        identity = identity_of(path)
        while idle := self._pop():
            if idle[:2] == (path, identity):
                return idle[2], idle[1]
            _close(idle[2])
        return None

    def give(self, path: str, identity: Identity | None, raw: sqlite3.Connection) -> None:
        """Keep a connection that has nothing running, or close it."""
        if identity is None or len(self._idle) >= MAX_IDLE or not is_idle(raw):
            _close(raw)
            return
        with self._lock:
            self._idle.append((path, identity, raw))

    def close(self) -> None:
        """Close the idle connections, so that SQLite removes the files beside the database."""
        while idle := self._pop():
            _close(idle[2])

    def _pop(self) -> tuple[str, Identity, sqlite3.Connection] | None:
        with self._lock:
            return self._idle.pop() if self._idle else None

    def _forget(self) -> None:
        """Leave the connections of the parent alone: SQLite forbids to use or close them here."""
        self._lock = threading.Lock()
        self._inherited += self._idle
        self._idle = []


def is_idle(raw: sqlite3.Connection) -> bool:
    """Return True if the connection has neither a transaction nor a running statement.

    A statement that was not read to its end would hold a snapshot, and the next request would see
    old rows. `interrupt` makes the next statement fail if, and only if, another one is running.
    """
    if raw.in_transaction:
        return False
    try:
        raw.interrupt()
        raw.execute("SELECT 1").fetchone()
    except sqlite3.Error:
        return False
    return True


def _close(raw: sqlite3.Connection) -> None:
    with suppress(sqlite3.Error):
        raw.close()


pool = Pool()
