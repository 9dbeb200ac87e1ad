"""Back-ups of PostgreSQL, by its own pg_dump and pg_restore."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from ainews_site.backup.pooler import PooledError, refuse_pooler
from ainews_site.backup.row_counts import COUNTED, BackupError, counts

REPLACED = "ainews_replaced"
"""The schema that keeps what a restore replaces, until it is done."""


def _refuse_pooler(what: str) -> None:
    connection.ensure_connection()
    try:
        refuse_pooler(connection.connection, what, "DATABASE_URL")
    except PooledError as error:
        raise BackupError(str(error)) from error


def dump_postgres(path: Path) -> dict[str, int]:
    """What a snapshot holds, that pg_dump and our counts share."""
    _refuse_pooler("a backup")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone()
            _run("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={path}")
            rows = counts()
        finally:
            cursor.execute("ROLLBACK")
    listed = _run("pg_restore", "--list", str(path), connects=False)
    if missing := [table for table in COUNTED if f"TABLE public {table} " not in listed]:
        raise BackupError(f"The copy lacks {missing[0]}. Check the disk.")
    return rows


def restore_postgres(path: Path) -> None:
    """Beside what is there, which goes only when all is restored."""
    _refuse_pooler("a restore")
    _end_former_restore()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER SCHEMA public RENAME TO {REPLACED}")
        cursor.execute("CREATE SCHEMA public")
        cursor.execute("CREATE EXTENSION IF NOT EXISTS unaccent")
        cursor.execute("ALTER EXTENSION unaccent SET SCHEMA public")
    connection.close()
    try:
        _run(
            "pg_restore",
            *("--no-owner", "--no-privileges", "--exit-on-error", "--single-transaction"),
            *("--schema=public", f"--dbname={connection.settings_dict['NAME']}", str(path)),
        )
    except BackupError as error:
        _put_back()
        raise BackupError(f"Nothing was restored: {error}") from error
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {REPLACED} CASCADE")
        cursor.execute("ANALYZE")


def _put_back() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER EXTENSION unaccent SET SCHEMA {REPLACED}")
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute(f"ALTER SCHEMA {REPLACED} RENAME TO public")


def _end_former_restore() -> None:
    """One that was killed left what it was replacing: all was restored by then, or nothing."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s), to_regclass('public.feeds_item')", [REPLACED])
        replaced, restored = cursor.fetchone()
        if replaced and restored:
            cursor.execute(f"DROP SCHEMA {REPLACED} CASCADE")
        elif replaced:
            _put_back()


def _run(name: str, *arguments: str, connects: bool = True) -> str:
    """One of PostgreSQL's programs; what it printed. The password is in no command line."""
    given: dict[str, Any] = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    env = {key: str(given[value]) for key, value in names.items() if given.get(value)}
    if connects and name == "pg_dump":
        env["PGDATABASE"] = str(given["NAME"])
    done = subprocess.run(  # noqa: S603 - our own arguments
        [_program(name), *arguments], env=os.environ | env, capture_output=True, text=True
    )
    if done.returncode:
        raise BackupError(f"{name}: {' '.join(done.stderr.split())[:500]}")
    return done.stdout


def _program(name: str) -> str:
    """Of the newest version that is installed: an older one refuses a newer server."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    program = str(found[-1]) if found else shutil.which(name)
    if program is None:
        raise BackupError(f"{name} is not installed. On Debian: apt install postgresql-client.")
    return program


def _version(path: Path) -> int:
    number = path.parts[-3]
    return int(number) if number.isdigit() else 0
