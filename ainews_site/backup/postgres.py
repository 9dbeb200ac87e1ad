"""Backs up and restores PostgreSQL by pg_dump and pg_restore."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from ainews_site.backup.pooler import PooledError, refuse_pooler
from ainews_site.backup.row_counts import COUNTED, BackupError, counts

REPLACED = "ainews_replaced"
"""The schema to which a restore moves the old tables until it is done."""


def _refuse_pooler(what: str) -> None:
    connection.ensure_connection()
    try:
        refuse_pooler(connection.connection, what, "DATABASE_URL")
    except PooledError as error:
        raise BackupError(str(error)) from error


def dump_postgres(path: Path) -> dict[str, int]:
    """Dump the database to `path`. Returns the row counts of the same snapshot."""
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
    contents = _run("pg_restore", "--list", str(path), connects=False)
    if missing := [table for table in COUNTED if f"TABLE public {table} " not in contents]:
        raise BackupError(f"The copy lacks {missing[0]}. Check the disk.")
    return rows


def restore_postgres(path: Path) -> None:
    """Restore the database from `path`. The old tables are dropped only after a success."""
    _refuse_pooler("a restore")
    _finish_interrupted_restore()
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
        _undo()
        raise BackupError(f"Nothing was restored: {error}") from error
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {REPLACED} CASCADE")
        cursor.execute("ANALYZE")


def _undo() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"ALTER EXTENSION unaccent SET SCHEMA {REPLACED}")
        cursor.execute("DROP SCHEMA public CASCADE")
        cursor.execute(f"ALTER SCHEMA {REPLACED} RENAME TO public")


def _finish_interrupted_restore() -> None:
    """Finish or undo a restore that was killed and left the old tables behind.

    Since pg_restore runs in one transaction, either all tables were restored or none.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace(%s), to_regclass('public.feeds_item')", [REPLACED])
        old_schema, restored_table = cursor.fetchone()
        if old_schema and restored_table:
            cursor.execute(f"DROP SCHEMA {REPLACED} CASCADE")
        elif old_schema:
            _undo()


def _run(name: str, *arguments: str, connects: bool = True) -> str:
    """Run a program of PostgreSQL and return its output.

    The connection is passed by environment variables, so that no command line has the password.
    """
    config: dict[str, Any] = connection.settings_dict
    names = {"PGHOST": "HOST", "PGPORT": "PORT", "PGUSER": "USER", "PGPASSWORD": "PASSWORD"}
    env = {key: str(config[value]) for key, value in names.items() if config.get(value)}
    if connects and name == "pg_dump":
        env["PGDATABASE"] = str(config["NAME"])
    done = subprocess.run(  # noqa: S603 - our own arguments
        [_program(name), *arguments], env=os.environ | env, capture_output=True, text=True
    )
    if done.returncode:
        raise BackupError(f"{name}: {' '.join(done.stderr.split())[:500]}")
    return done.stdout


def _program(name: str) -> str:
    """Return the path of the newest installed version, because old ones reject newer servers."""
    paths = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_version)
    program = str(paths[-1]) if paths else shutil.which(name)
    if program is None:
        raise BackupError(f"{name} is not installed. On Debian: apt install postgresql-client.")
    return program


def _version(path: Path) -> int:
    number = path.parts[-3]
    return int(number) if number.isdigit() else 0
