"""Where a request reads: from a replica or from the primary. Without DATABASE_REPLICA_URLS
there is one database, and nothing here does anything.

A position is how far the primary has come, the number of a byte in its write-ahead log.
Who has written carries one, signed, and is not answered by a replica that is behind it.
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
"""SQLSTATE of a write that came to a server which takes none: a standby in the primary's place."""


class Reading:
    """A request that reads. The database is chosen at its first query, and once it has
    written, the primary answers the rest of it."""

    def __init__(self, position: int = 0, reader: str = "", alias: str = "") -> None:
        self.position, self.reader, self.alias = position, reader, alias
        self.has_written = False

    @property
    def is_by_replica(self) -> bool:
        return bool(self.alias) and self.alias != PRIMARY

    @property
    def is_by_primary(self) -> bool:
        return self.has_written or self.alias == PRIMARY

    def choose(self) -> str:
        if not self.alias:
            self.alias = choose(self.position, self.reader)
        return self.alias


_reading: ContextVar[Reading | None] = ContextVar("reading", default=None)


@contextmanager
def reading_as(reading: Reading) -> Iterator[None]:
    token = _reading.set(reading)
    try:
        yield
    finally:
        _reading.reset(token)


def current_reading() -> Reading | None:
    """None in the worker, on the socket, and in a request that writes."""
    return _reading.get()


def reading_alias() -> str:
    """The database to read from now. What is read in order to be written comes from the
    primary, so a transaction there reads there."""
    reading = _reading.get()
    if reading is None or reading.has_written or connections[PRIMARY].in_atomic_block:
        return PRIMARY
    return reading.choose()


def reading_connection() -> BaseDatabaseWrapper:
    """What SQL of our own reads by; `django.db.connection` is always the primary."""
    return connections[reading_alias()]


class ReplicaRouter:
    """Django's side of it: reads go where the request reads, writes to the primary."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        return reading_alias()

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        if (reading := _reading.get()) is not None:
            reading.has_written = True
        return PRIMARY

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        return True  # the same rows, wherever they were read

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == PRIMARY


def try_to_write(write: Write, *, key: Hashable = None) -> bool:
    """Write what a reading request can do without; whether it is written now.

    Nothing waits long for a lock. With a `key` the write is then done later, as
    ainews_site.infra.deferred_writes says; without one it is left undone, as it is when the
    primary is away.
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
    """The same for what no page shows: a replica goes on answering this reader."""
    reading = _reading.get()
    before = reading.has_written if reading else False
    try:
        return try_to_write(write, key=key)
    finally:
        if reading is not None:
            reading.has_written = before


def is_primary_lost(error: Exception) -> bool:
    """Whether a query failed because there is no primary that takes writes."""
    if getattr(error.__cause__, "sqlstate", "") == READ_ONLY:
        return True
    if not isinstance(error, OperationalError | InterfaceError):
        return False
    connection = connections[PRIMARY]
    is_lost = connection.connection is None or not connection.is_usable()
    if is_lost:
        primary().lose()
    return is_lost


def signed_position() -> str:
    """How far the primary has come, for a reader to keep; empty where there are no replicas."""
    if not settings.REPLICAS:
        return ""
    with connections[PRIMARY].cursor() as cursor:
        cursor.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint")
        return _signer().sign(str(cursor.fetchone()[0]))


def read_position(signed: str) -> int:
    """0 for what we have not signed."""
    try:
        return int(_signer().unsign(signed))
    except (BadSignature, ValueError):
        return 0


def _signer() -> Signer:
    return Signer(salt="ainews_site.infra.db_router.position")
