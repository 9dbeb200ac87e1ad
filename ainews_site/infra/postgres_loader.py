"""The loader of `ainews_site.infra.postgres_times`. Installations without PostgreSQL have no
psycopg."""

from datetime import UTC, datetime
from typing import Any

from psycopg import Connection
from psycopg.postgres import types
from psycopg.pq import Format
from psycopg.types.datetime import TimestamptzLoader

TIME = types["timestamptz"].oid


class UtcLoader(TimestamptzLoader):
    """Loads a time as Django does. `timezone` is what Django asks its own loader for."""

    timezone = UTC

    def load(self, data: Any) -> datetime:
        try:
            return datetime.fromisoformat(str(data, "ascii"))
        except ValueError:  # before Christ, or infinity: psycopg has a message for each
            return super().load(data).replace(tzinfo=UTC)


def register(connection: Connection[Any]) -> None:
    """Let this connection use the loader. A connection of a pool may have it already."""
    if connection.adapters.get_loader(TIME, Format.TEXT) is not UtcLoader:
        connection.adapters.register_loader(TIME, UtcLoader)
