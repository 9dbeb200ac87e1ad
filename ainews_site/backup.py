"""Back-ups of the whole database, checked when made and before they are used.

SQLite by its online back-up, PostgreSQL by pg_dump: both are of one moment, and nobody waits.
Beside each lies a manifest with its SHA-256 and what must be in it.
"""

import json
import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Any

from django.db import connection, transaction
from django.db.migrations.loader import MigrationLoader

from ainews_site.pooler import PooledError, refuse_pooler

COUNTED = ("accounts_user", "feeds_source", "feeds_item", "feeds_itembody", "feeds_itemstate")
SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".dump"}
REPLACED = "ainews_replaced"
"""The schema in which PostgreSQL keeps what a restore replaces, until it is done."""
PAGES = 4_096
"""Of SQLite that are copied at a time; whoever writes gets a turn in between."""
PAUSE = 0.01


class BackupError(Exception):
    """What went wrong, and what to do, in a sentence."""


@dataclass(slots=True)
class Manifest:
    """`rows` are those of the largest tables, by name."""

    kind: str
    made_at: str
    size: int
    sha256: str
    rows: dict[str, int]
    migrations: list[str]


def make_backup(folder: Path, *, keep: int = 0) -> Path:
    """A new back-up in `folder`, and only the newest `keep` of them, if given; its path."""
    kind, made_at = connection.vendor, datetime.now(UTC)
    path = folder / f"ainews-{made_at:%Y%m%dT%H%M%SZ}{SUFFIXES[kind]}"
    half = path.with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = (_dump_sqlite if kind == "sqlite" else _dump_postgres)(half)
        manifest = Manifest(
            kind, made_at.isoformat(), half.stat().st_size, _hash(half), rows, _migrations()
        )
        _sync(half)
        half.replace(path)
        half.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        half.replace(manifest_of(path))
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"No back-up was made: {_words(error, folder)}") from error
    finally:
        half.unlink(missing_ok=True)
    if keep:
        _drop_old(folder, path.suffix, keep)
    return path


def manifest_of(path: Path) -> Path:
    return path.with_suffix(path.suffix + ".json")


def _drop_old(folder: Path, suffix: str, keep: int) -> None:
    for path in sorted(folder.glob(f"ainews-*{suffix}"))[:-keep]:
        path.unlink()
        manifest_of(path).unlink(missing_ok=True)


def read_backup(path: Path) -> Manifest:
    """Raises BackupError unless the file is what was written."""
    if not path.is_file():
        raise BackupError(f"There is no file {path}.")
    try:
        manifest = Manifest(**json.loads(manifest_of(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BackupError(
            f"{manifest_of(path)} is missing: the back-up was never finished."
        ) from None
    except (ValueError, TypeError) as error:
        raise BackupError(f"{manifest_of(path)} cannot be read ({error}).") from error
    if path.stat().st_size != manifest.size or _hash(path) != manifest.sha256:
        raise BackupError(f"{path} has changed since it was made; take another back-up.")
    return manifest


def restore_backup(path: Path, *, replace: bool = False) -> Manifest:
    """Put a back-up in the place of the database, which must be empty or to be replaced."""
    manifest = read_backup(path)
    if manifest.kind != connection.vendor:
        raise BackupError(
            f"{path} is of {manifest.kind}, DATABASE_URL is {connection.vendor}. Restore it into"
            " its own kind, then move it with migrate_to_postgres or migrate_to_sqlite."
        )
    if newer := sorted(set(manifest.migrations) - set(_known_migrations())):
        raise BackupError(f"{path} is of a newer program ({newer[0]}). Update AI News first.")
    if not replace and (used := _rows_there()):
        raise BackupError(
            f"The database has {used} rows. Say --replace to put the back-up in their place; a"
            " back-up of them is made before."
        )
    try:
        (_restore_sqlite if manifest.kind == "sqlite" else _restore_postgres)(path)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"Nothing was restored: {_words(error, path.parent)}") from error
    if (found := _counts()) != manifest.rows:
        raise BackupError(
            f"The restored rows {found} are not those of the back-up {manifest.rows}."
        )
    return manifest


def _rows_there() -> int:
    there = set(connection.introspection.table_names())
    return sum(_count(table) for table in ("accounts_user", "feeds_source") if table in there)


def _counts() -> dict[str, int]:
    return {table: _count(table) for table in COUNTED}


def _count(table: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM {table}")  # noqa: S608 - our own names
        return int(cursor.fetchone()[0])


def _migrations() -> list[str]:
    return sorted(".".join(name) for name in MigrationLoader(connection).applied_migrations)


def _known_migrations() -> list[str]:
    return [".".join(name) for name in MigrationLoader(None).disk_migrations or ()]


def _dump_sqlite(path: Path) -> dict[str, int]:
    path.unlink(missing_ok=True)
    with closing(_open(_database())) as source, closing(_open(path)) as target:
        source.backup(target, pages=PAGES, sleep=PAUSE)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, that needs no other
        return _checked(target)


def _checked(database: sqlite3.Connection) -> dict[str, int]:
    if (said := database.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
        raise BackupError(f"The copy is damaged ({said}). Run manage.py doctor.")
    count = "SELECT count(*) FROM"
    return {table: database.execute(f"{count} {table}").fetchone()[0] for table in COUNTED}


def _restore_sqlite(path: Path) -> None:
    """Into the file as it lies there: who has it open sees the new rows from then on."""
    with closing(_open(path)) as source:
        _checked(source)
        connection.close()
        with closing(_open(_database())) as target:
            source.backup(target)


def _database() -> Path:
    return Path(connection.settings_dict["NAME"])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30)


def _refuse_pooler(what: str) -> None:
    connection.ensure_connection()
    try:
        refuse_pooler(connection.connection, what, "DATABASE_URL")
    except PooledError as error:
        raise BackupError(str(error)) from error


def _dump_postgres(path: Path) -> dict[str, int]:
    """What a snapshot holds, that pg_dump and our counts share."""
    _refuse_pooler("a back-up")
    with connection.cursor() as cursor:
        cursor.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        try:
            cursor.execute("SELECT pg_export_snapshot()")
            (snapshot,) = cursor.fetchone()
            _run("pg_dump", "--format=custom", f"--snapshot={snapshot}", f"--file={path}")
            rows = _counts()
        finally:
            cursor.execute("ROLLBACK")
    listed = _run("pg_restore", "--list", str(path), connects=False)
    if missing := [table for table in COUNTED if f"TABLE public {table} " not in listed]:
        raise BackupError(f"The copy lacks {missing[0]}. Is the disk sound?")
    return rows


def _restore_postgres(path: Path) -> None:
    """Beside what is there, which goes only when all is restored."""
    _refuse_pooler("a restore")
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
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"ALTER EXTENSION unaccent SET SCHEMA {REPLACED}")
            cursor.execute("DROP SCHEMA public CASCADE")
            cursor.execute(f"ALTER SCHEMA {REPLACED} RENAME TO public")
        raise BackupError(f"Nothing was restored: {error}") from error
    with connection.cursor() as cursor:
        cursor.execute(f"DROP SCHEMA {REPLACED} CASCADE")
        cursor.execute("ANALYZE")


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


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _words(error: Exception, folder: Path) -> str:
    said = str(error)
    if "No space left" in said or "disk is full" in said:
        return f"the disk of {folder} is full. Make room there."
    return f"{said}."
