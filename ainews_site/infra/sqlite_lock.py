"""SQLite's one write lock, how long each kind of work waits for it, and how a file is prepared."""

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
    """Prepare each connection that Django opens."""
    connection_created.connect(_prepare, dispatch_uid="ainews_site.infra.sqlite_lock")


def set_process_timeout(seconds: float | None) -> None:
    """Let connections opened from now on wait so long for the lock, instead of
    `SQLITE_BUSY_TIMEOUT`."""
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
    """Whether a statement failed because another connection holds the lock that it needs."""
    if not isinstance(error, OperationalError):
        return False
    cause = error.__cause__
    if getattr(cause, "sqlstate", "") == LOCK_NOT_AVAILABLE:
        return True
    # The upper bits of an extended code say where the lock was met.
    return (getattr(cause, "sqlite_errorcode", 0) & 0xFF) in (_BUSY, _LOCKED)


def holds_write_lock(alias: str = "default", seconds: float = 0.0) -> bool:
    """Whether another connection holds SQLite's write lock, for at least `seconds`."""
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
    """A held lock is no programming error: it is logged as one line, without a traceback."""

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
    if raw.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        _prepare_file(connection)
    if _process_timeout is not None:
        raw.execute(f"PRAGMA busy_timeout = {round(_process_timeout * 1000)}")


def _prepare_file(connection: Any) -> None:
    """The journal mode stays with the file, and so does `auto_vacuum`, which can only be set while
    the file is empty and takes the write lock at each attempt."""
    raw = connection.connection
    try:
        if not raw.execute("PRAGMA page_count").fetchone()[0]:
            raw.execute("PRAGMA auto_vacuum = INCREMENTAL")
        raw.execute("PRAGMA journal_mode = WAL")
    except connection.Database.OperationalError as error:
        # A locked file works as it is; one that cannot be used says so at the first query.
        logger.warning("The journal mode of SQLite was not changed: %s", error)
