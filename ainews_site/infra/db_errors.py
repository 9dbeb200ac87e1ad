"""Turns errors of a database that cannot be used into advice for the operator. Pure."""

import re
from collections.abc import Mapping
from typing import Any

DISK_FULL = "53100"
"""PostgreSQL's code."""
_HINTS = (
    (
        r"password authentication failed|no password supplied",
        "PostgreSQL at {place} rejected the password of {user!r}. Check {option}.",
    ),
    (
        r"role .* does not exist",
        "PostgreSQL at {place} has no user {user!r}. Create it, or check {option}.",
    ),
    (
        r"database .* does not exist",
        "PostgreSQL at {place} has no database {name!r}. Create it: createdb {name}.",
    ),
    (
        r"no pg_hba.conf entry",
        "PostgreSQL at {place} does not accept {user!r} from this machine: its pg_hba.conf has no"
        " matching line.",
    ),
    (
        r"resolve host|translate host name|Name or service not known",
        "Unknown host {host!r}. Check {option}.",
    ),
    (
        r"[Cc]onnection refused|timeout expired|No route to host|[Nn]etwork is unreachable"
        r"|No such file or directory|couldn't get a connection",
        "PostgreSQL does not answer at {place}. Is it running? Check {option}.",
    ),
    (
        r"terminating connection|server closed the connection|connection is (lost|closed)"
        r"|[Cc]onnection reset|consuming input failed|server terminated",
        "The connection to PostgreSQL at {place} was lost. Is it running?",
    ),
    (
        r"too many clients|remaining connection slots",
        "PostgreSQL at {place} accepts no more connections. Raise max_connections, lower"
        " DATABASE_POOL or WORKERS, or use PgBouncer.",
    ),
    (
        r"No space left on device|database or disk is full|could not extend file",
        "The disk of the database is full. The current operation was rolled back."
        " Free space and try again.",
    ),
    (
        r"PostgreSQL \d+ or later is required",
        "PostgreSQL at {place} is too old: {message}. Version 14 or later is needed.",
    ),
    (
        r"database( table)? is locked",
        "Another program has locked the database {name}, such as a backup or a tool that has it"
        " open. Try again when that program has finished.",
    ),
    (
        r"unable to open database file",
        "The file {name} cannot be opened. Check that its folder exists and is writable.",
    ),
    (
        r"file is not a database|disk image is malformed",
        "The file {name} is damaged or not a SQLite database. Restore a backup.",
    ),
    (
        r"read-only transaction|readonly database",
        "The database {name} is read-only: a standby, or a file without write permission.",
    ),
)


def in_words(
    error: BaseException, database: Mapping[str, Any], option: str = "DATABASE_URL"
) -> str:
    """Return a sentence that explains `error` and says what to do, or "" for other errors.

    `database` is the entry of settings.DATABASES that failed, and `option` the setting or the
    command-line option that gave its address.
    """
    message = " ".join(str(error).split())
    facts = {
        "option": option,
        "message": message.rstrip("."),
        "name": database.get("NAME", ""),
        "user": database.get("USER", ""),
        "host": database.get("HOST", ""),
        "place": f"{database.get('HOST') or 'this machine'}:{database.get('PORT') or 5432}",
    }
    for pattern, sentence in _HINTS:
        if re.search(pattern, message):
            return sentence.format(**facts)
    return ""


def is_disk_full(error: BaseException) -> bool:
    """Return True if the disk of the database is full, or another limit of its space is reached."""
    state = getattr(error.__cause__, "sqlstate", None) or getattr(error, "sqlstate", None)
    return state == DISK_FULL or "database or disk is full" in str(error)
