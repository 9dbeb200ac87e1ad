"""What a database that cannot be used means in words, and what to do. Pure."""

import re
from collections.abc import Mapping
from typing import Any

_HINTS = (
    (
        r"password authentication failed|no password supplied",
        "PostgreSQL at {place} refuses the password of {user!r}. Check {option}.",
    ),
    (
        r"role .* does not exist",
        "PostgreSQL at {place} knows no user {user!r}. Make one there, or check {option}.",
    ),
    (
        r"database .* does not exist",
        "PostgreSQL at {place} has no database {name!r}. Make it there: createdb {name}.",
    ),
    (
        r"no pg_hba.conf entry",
        "PostgreSQL at {place} does not let {user!r} in from here: its pg_hba.conf has no line"
        " for this machine.",
    ),
    (
        r"resolve host|translate host name|Name or service not known",
        "There is no host {host!r}. Check {option}.",
    ),
    (
        r"[Cc]onnection refused|timeout expired|No route to host|[Nn]etwork is unreachable"
        r"|No such file or directory|couldn't get a connection",
        "PostgreSQL does not answer at {place}. Is it running? Check {option}.",
    ),
    (
        r"terminating connection|server closed the connection|connection is (lost|closed)"
        r"|[Cc]onnection reset|consuming input failed|server terminated",
        "PostgreSQL at {place} went away while we worked with it. Is it running?",
    ),
    (
        r"too many clients|remaining connection slots",
        "PostgreSQL at {place} takes no more connections. Raise its max_connections, lower"
        " DATABASE_POOL or WORKERS, or put PgBouncer before it.",
    ),
    (
        r"No space left on device|database or disk is full|could not extend file",
        "The disk of the database is full: what was under way is undone, nothing else is lost."
        " Make room and do it again.",
    ),
    (
        r"PostgreSQL \d+ or later is required",
        "The PostgreSQL at {place} is too old: {said}. Version 15 is what we test with.",
    ),
    (
        r"database( table)? is locked",
        "Another program has locked the database {name}, such as a back-up or a tool that has it"
        " open. Do it again when that is done.",
    ),
    (
        r"unable to open database file",
        "The file {name} cannot be opened. Does its folder exist, and may this user write there?",
    ),
    (
        r"file is not a database|disk image is malformed",
        "The file {name} is damaged or no database of SQLite. Restore a back-up.",
    ),
    (
        r"read-only transaction|readonly database",
        "The database {name} takes no writes: a standby, or a file that this user may not write.",
    ),
)


def in_words(
    error: BaseException, database: Mapping[str, Any], option: str = "DATABASE_URL"
) -> str:
    """A sentence on this error of `database` (of settings.DATABASES), whose address `option`
    gave; "" for one that only a programmer understands."""
    said = " ".join(str(error).split())
    facts = {
        "option": option,
        "said": said.rstrip("."),
        "name": database.get("NAME", ""),
        "user": database.get("USER", ""),
        "host": database.get("HOST", ""),
        "place": f"{database.get('HOST') or 'this machine'}:{database.get('PORT') or 5432}",
    }
    for pattern, sentence in _HINTS:
        if re.search(pattern, said):
            return sentence.format(**facts)
    return ""
