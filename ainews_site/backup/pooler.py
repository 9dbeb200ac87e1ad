"""Refuses to run backups, restores and migrations through a pooler such as PgBouncer.

They change settings of their session: pg_dump sets the search path, and a migration turns off
synchronous commits. In transaction mode, other clients of the pooler would get that session next.
"""

from typing import Any


class PooledError(Exception):
    """The connection goes through a pooler. The message is a sentence for the operator."""


def refuse_pooler(connection: Any, what: str, option: str) -> None:
    """Raise PooledError if the psycopg `connection` goes through a pooler.

    If the backend PID of the connection differs from pg_backend_pid(), a pooler is in between.
    `what` names the operation, and `option` the setting or option with the address.
    """
    (pid,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    if pid != connection.info.backend_pid:
        raise PooledError(
            f"{option} is the address of a connection pooler such as PgBouncer. Settings that"
            f" {what} makes for its session would affect others. Use the address of PostgreSQL"
            " itself."
        )
