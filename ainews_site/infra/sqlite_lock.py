"""SQLite's write lock: how long statements wait for it. Also sets the journal mode of the file."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import OperationalError, connections
from django.db.backends.signals import connection_created

LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's SQLSTATE for a statement that gave up after `lock_timeout`."""
_BUSY, _LOCKED = 5, 6
"""SQLite's primary result codes for a lock that another connection holds."""

logger = logging.getLogger(__name__)
_process_timeout: float | None = None


def connect() -> None:
    """Register the signal handler that prepares each connection."""
    connection_created.connect(_prepare, dispatch_uid="ainews_site.infra.sqlite_lock")


def set_process_timeout(seconds: float | None) -> None:
    """Set how long connections opened from now on wait for the lock.

    None restores `SQLITE_BUSY_TIMEOUT`.
    """
    global _process_timeout
    _process_timeout = seconds


@contextmanager
def busy_timeout(seconds: float, alias: str = "default") -> Iterator[None]:
    """Wait at most `seconds` for SQLite's write lock. Other databases are not affected."""
    connection = connections[alias]
    if connection.vendor != "sqlite":
        yield
        return
    connection.ensure_connection()
    raw = connection.connection
    (before,) = raw.execute("PRAGMA busy_timeout").fetchone()
    raw.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
    try:
        yield
    finally:
        if connection.connection is raw:  # it may have been closed meanwhile
            raw.execute(f"PRAGMA busy_timeout = {before}")


def is_locked(error: BaseException | None) -> bool:
    """Return True if a statement failed because another connection holds the lock it needs."""
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    if getattr(cause, "sqlstate", "") == LOCK_NOT_AVAILABLE:
        return True
    # The lower eight bits of an extended result code are the primary code.
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in (_BUSY, _LOCKED)


def holds_write_lock(alias: str = "default", seconds: float = 0.0) -> bool:
    """Return True if another connection holds SQLite's write lock for at least `seconds`."""
    connection: Any = connections[alias]
    if connection.vendor != "sqlite" or connection.in_atomic_block:
        return False
    with busy_timeout(seconds, alias):
        raw = connection.connection
        try:
            raw.execute("BEGIN IMMEDIATE")
        except connection.Database.OperationalError as error:
            if (getattr(error, "sqlite_errorcode", 0) & 0xFF) == _BUSY:
                return True
            raise
        raw.execute("ROLLBACK")
    return False


class OneLineForLocks(logging.Filter):
    """Logs a lock error as one line without a traceback, because it is no programming error."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if is_locked(error):
            record.msg = f"{record.getMessage()}: {error}"
            record.args = record.exc_info = record.exc_text = None
        return True


def _prepare(*, connection: Any, **_: Any) -> None:
    if connection.vendor != "sqlite":
        return
    raw = connection.connection
    is_reused = getattr(connection, "is_reused", False)
    if not is_reused and raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _prepare_file(connection)
    if _process_timeout is not None:
        raw.execute(f"PRAGMA busy_timeout = {round(_process_timeout * 1000)}")


def _prepare_file(connection: Any) -> None:
    """Set the journal mode and, in an empty file, `auto_vacuum`. Both are stored in the file.

    `auto_vacuum` cannot be changed later, and each attempt would take the write lock.
    """
    raw = connection.connection
    try:
        if not raw.execute("PRAGMA page_count").fetchone()[0]:
            raw.execute("PRAGMA auto_vacuum = INCREMENTAL")
        raw.execute("PRAGMA journal_mode = WAL")
    except connection.Database.OperationalError as error:
        # A locked file can be used as it is. Other errors show up at the first query.
        logger.warning("The journal mode of SQLite was not changed: %s", error)
