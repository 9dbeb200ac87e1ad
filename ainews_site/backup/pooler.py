"""Keeps what works on a session of its own from a pooler such as PgBouncer.

In transaction mode what a session sets stays with a connection that others get next: pg_dump
sets the search path, a move writes without waiting for the disk.
"""

from typing import Any


class PooledError(Exception):
    """There is a pooler, in a sentence."""


def refuse_pooler(connection: Any, what: str, option: str) -> None:
    """Raises PooledError where psycopg's `connection`, which `option` named, is a pooler's: it
    tells another number of the process than the server does."""
    found = connection.execute("SELECT pg_backend_pid()").fetchone()
    if found[0] != connection.info.backend_pid:
        raise PooledError(
            f"{option} is the address of a connection pooler such as PgBouncer. Settings that"
            f" {what} makes for its session would affect others. Use the address of PostgreSQL"
            " itself."
        )
