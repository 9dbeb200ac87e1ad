"""Chooses the database that a request reads from: a replica or the primary.

Without DATABASE_REPLICA_URLS there is one database, and everything is read from it.

An LSN is a position in PostgreSQL's write-ahead log, here as an integer in bytes. A reader who has
written carries the signed LSN of the primary at that time. A replica that has not replayed the log
up to there does not answer them, so they see their own writes.
"""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import InterfaceError, OperationalError, connections
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from ainews_site.infra.deferred_writes import Write, deferred, write_if_free
from ainews_site.infra.replicas import PRIMARY, choose, primary

READ_ONLY = "25006"
"""SQLSTATE of a write that was sent to a read-only server, such as a standby."""


class Reading:
    """The database choice of one request that reads.

    The database is chosen at the first query. After a write, the primary answers the remaining
    queries. `lsn` is the newest LSN that the reader knows of; `reader` identifies them, so that
    they stay with one replica; `alias` is the chosen database, or "" before the first query.
    """

    def __init__(self, lsn: int = 0, reader: str = "", alias: str = "") -> None:
        self.lsn, self.reader, self.alias = lsn, reader, alias
        self.has_written = False

    @property
    def is_by_replica(self) -> bool:
        return bool(self.alias) and self.alias != PRIMARY

    @property
    def is_by_primary(self) -> bool:
        return self.has_written or self.alias == PRIMARY

    def choose(self) -> str:
        """Return the alias of the database, which stays the same for the whole request."""
        if not self.alias:
            self.alias = choose(self.lsn, self.reader)
        return self.alias


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading_as(reading: Reading) -> Iterator[None]:
    """Let the queries inside the `with` block read as `reading` says."""
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


def current_reading() -> Reading | None:
    """Return the choice of the current request.

    It is None in the worker, on a socket, and in a request whose method writes; all of these read
    from the primary.
    """
    return _reading.get()


def reading_alias() -> str:
    """Return the alias of the database to read from now.

    Inside a transaction of the primary this is the primary, because rows that will be changed
    must be read there.
    """
    reading = _reading.get()
    if reading is None or reading.has_written or connections[PRIMARY].in_atomic_block:
        return PRIMARY
    return reading.choose()


def reading_connection() -> BaseDatabaseWrapper:
    """Return the connection for hand-written read queries, which may be a replica.

    `django.db.connection` is always the primary.
    """
    return connections[reading_alias()]


class ReplicaRouter:
    """Django's database router: reads go to `reading_alias()`, writes to the primary."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return reading_alias()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        if (reading := _reading.get()) is not None:
            reading.has_written = True
        return PRIMARY

    def allow_relation(self, obj1: Model, obj2: Model, **hints: Any) -> bool:
        return True  # all databases have the same rows

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY


def try_to_write(write: Write, *, key: Hashable = None) -> bool:
    """Perform an optional write of a request that reads. Returns whether it was done now.

    It does not wait long for a lock. If the lock is held, a write with a `key` is done later (see
    ainews_site.infra.deferred_writes), and one without a key is dropped. If the primary is down,
    the write is dropped in either case.
    """
    if settings.REPLICAS and not primary().opens():
        return False
    try:
        return write_if_free(write) if key is None else deferred.do(key, write)
    except Exception as error:
        if not settings.REPLICAS or not is_primary_lost(error):
            raise
        if (reading := _reading.get()) is not None:
            reading.has_written = False
        return False


def write_unseen(write: Write, *, key: Hashable = None) -> bool:
    """Like try_to_write, for data that no page shows: replicas go on answering the reader."""
    reading = _reading.get()
    before = reading.has_written if reading else False
    try:
        return try_to_write(write, key=key)
    finally:
        if reading is not None:
            reading.has_written = before


def is_primary_lost(error: Exception) -> bool:
    """Return True if a query failed because the primary is down or read-only."""
    if getattr(error.__cause__, "sqlstate", "") == READ_ONLY:
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    connection = connections[PRIMARY]
    is_lost = connection.connection is None or not connection.is_usable()
    if is_lost:
        primary().lose()
    return is_lost


def signed_lsn() -> str:
    """Return the primary's current LSN, signed, for a reader to carry; "" without replicas."""
    if not settings.REPLICAS:
        return ""
    with connections[PRIMARY].cursor() as cursor:
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
        return _signer().sign(str(cursor.fetchone()[0]))


def read_lsn(signed: str) -> int:
    """Return the LSN, or 0 if the signature is wrong."""
    try:
        return int(_signer().unsign(signed))
    except (BadSignature, ValueError):
        return 0


def _signer() -> Signer:
    return Signer(salt="ainews_site.infra.db_router.position")
