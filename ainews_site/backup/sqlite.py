"""Backups of the whole database, which are verified when they are made and before a restore.

SQLite is backed up by its online backup API, PostgreSQL by pg_dump. Both copy a consistent state
and block nobody. Beside each backup is a manifest with its SHA-256, row counts and migrations.
"""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import file_digest
from pathlib import Path

from django.db import connection
from django.db.migrations.loader import MigrationLoader

from ainews_site.backup.postgres import dump_postgres, restore_postgres
from ainews_site.backup.row_counts import COUNTED, BackupError, count, counts
from ainews_site.infra.invocation import PROGRAM
from ainews_site.infra.releases import is_release

SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".dump"}
PAGES = 4_096
"""Number of pages that SQLite copies at a time. Writers get a turn in between."""
PAUSE = 0.01
"""Seconds."""


@dataclass(slots=True)
class Manifest:
    """The content of a manifest.

    `kind` is the vendor of the database, `size` is in bytes, `rows` are row counts by table, and
    `migrations` the applied migrations.
    """

    kind: str
    made_at: str
    size: int
    sha256: str
    rows: dict[str, int]
    migrations: list[str]


def make_backup(folder: Path, *, keep: int = 0) -> Path:
    """Make a backup in `folder` and return its path.

    If `keep` is given, only the newest `keep` backups stay. Raises BackupError.
    """
    kind, made_at = connection.vendor, datetime.now(UTC)
    path = folder / f"ainews-{made_at:%Y%m%dT%H%M%SZ}{SUFFIXES[kind]}"
    partial = path.with_suffix(".half")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        rows = (_dump_sqlite if kind == "sqlite" else dump_postgres)(partial)
        manifest = Manifest(
            kind, made_at.isoformat(), partial.stat().st_size, _hash(partial), rows, _migrations()
        )
        _sync(partial)
        partial.replace(path)
        partial.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        partial.replace(manifest_of(path))
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"No backup was made: {_explain(error, folder)}") from error
    finally:
        partial.unlink(missing_ok=True)
    if keep:
        _drop_old(folder, path.suffix, keep)
    return path


def manifest_of(path: Path) -> Path:
    """Return the path of the manifest of the backup at `path`."""
    return path.with_suffix(path.suffix + ".json")


def _drop_old(folder: Path, suffix: str, keep: int) -> None:
    for path in sorted(folder.glob(f"ainews-*{suffix}"))[:-keep]:
        path.unlink()
        manifest_of(path).unlink(missing_ok=True)


def read_backup(path: Path) -> Manifest:
    """Return the manifest of a backup. Raises BackupError if the file is missing or has changed."""
    if not path.is_file():
        raise BackupError(f"File not found: {path}.")
    try:
        manifest = Manifest(**json.loads(manifest_of(path).read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BackupError(
            f"{manifest_of(path)} is missing: the backup was never finished."
        ) from None
    except (ValueError, TypeError) as error:
        raise BackupError(f"{manifest_of(path)} cannot be read ({error}).") from error
    if path.stat().st_size != manifest.size or _hash(path) != manifest.sha256:
        raise BackupError(f"{path} has changed since it was made; use another backup.")
    return manifest


def usable_backup(path: Path) -> Manifest:
    """Return the manifest of a backup that can be restored to this database.

    Raises BackupError if it can't. Changes nothing.
    """
    manifest = read_backup(path)
    if manifest.kind != connection.vendor:
        raise BackupError(
            f"{path} is a {manifest.kind} backup, but DATABASE_URL is {connection.vendor}. Restore"
            f" it to {manifest.kind}, then run migrate_to_postgres or migrate_to_sqlite."
        )
    migrations = {name for name in manifest.migrations if not is_release(name)}
    if newer := sorted(migrations - set(_known_migrations())):
        raise BackupError(f"{path} was made by a newer version ({newer[0]}). Update AI News first.")
    if manifest.kind == "sqlite":
        try:
            with closing(_open(path)) as database:
                _verify(database)
        except sqlite3.Error as error:
            raise BackupError(f"{path} is damaged ({error}); use another backup.") from error
    return manifest


def restore_backup(path: Path, manifest: Manifest, *, replace: bool = False) -> None:
    """Restore a backup that `usable_backup` accepted.

    Raises BackupError if the database is not empty and `replace` is False.
    """
    if not replace and (content := _describe_content()):
        raise BackupError(
            f"The database has {content}. Use --replace to replace them; a backup of them is made"
            " first."
        )
    try:
        (_restore_sqlite if manifest.kind == "sqlite" else restore_postgres)(path)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"Nothing was restored: {_explain(error, path.parent)}") from error
    if (rows := counts()) != manifest.rows:
        raise BackupError(
            f"The restored row counts {rows} differ from those of the backup {manifest.rows}."
        )


def _describe_content() -> str:
    """Return what the database contains, such as "3 items", or "" if it is empty or new."""
    nouns = {"feeds_item": "item", "feeds_source": "source", "accounts_user": "user"}
    tables = set(connection.introspection.table_names()) & set(nouns)
    rows = [(count(table), name) for table, name in nouns.items() if table in tables]
    return ", ".join(f"{n:,} {name}{'s' * (n != 1)}" for n, name in rows if n)


def _migrations() -> list[str]:
    names = (".".join(name) for name in MigrationLoader(connection).applied_migrations)
    return sorted(name for name in names if not is_release(name))


def _known_migrations() -> list[str]:
    return [".".join(name) for name in MigrationLoader(None).disk_migrations or ()]


def _dump_sqlite(path: Path) -> dict[str, int]:
    path.unlink(missing_ok=True)
    with closing(_open(_database())) as source, closing(_open(path)) as target:
        source.backup(target, pages=PAGES, sleep=PAUSE)
        target.execute("PRAGMA journal_mode = DELETE")  # a single file, without -wal and -shm
        return _verify(target)


def _verify(database: sqlite3.Connection) -> dict[str, int]:
    """Return the row counts. Raises BackupError if the file is damaged."""
    if (result := database.execute("PRAGMA quick_check").fetchone()[0]) != "ok":
        raise BackupError(f"The copy is damaged ({result}). Run {PROGRAM} doctor.")
    rows = "SELECT count(*) FROM"
    return {table: database.execute(f"{rows} {table}").fetchone()[0] for table in COUNTED}


def _restore_sqlite(path: Path) -> None:
    """Restore into the existing file, so that processes that have it open see the new rows."""
    with closing(_open(path)) as source:
        connection.close()
        with closing(_open(_database())) as target:
            source.backup(target)


def _database() -> Path:
    return Path(connection.settings_dict["NAME"])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30)


def save_replaced(folder: Path) -> Path | None:
    """Save the database before it is replaced.

    Returns the path of a backup, or of the moved file if it is too damaged for a backup. Returns
    None if there is no database.
    """
    if is_damaged():
        return _set_aside(folder)
    if "feeds_itemstate" not in connection.introspection.table_names():
        return None
    return make_backup(folder)


def is_damaged() -> bool:
    """Return True if the SQLite file is damaged. PostgreSQL checks its own files."""
    if connection.vendor != "sqlite" or not _database().is_file():
        return False
    try:
        with closing(_open(_database())) as database:
            return bool(database.execute("PRAGMA quick_check").fetchone()[0] != "ok")
    except sqlite3.OperationalError:  # locked, or without permission
        return False
    except sqlite3.DatabaseError:
        return True


def _set_aside(folder: Path) -> Path:
    connection.close()
    folder.mkdir(parents=True, exist_ok=True)
    moved = folder / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite3"
    for suffix in ("-wal", "-shm", ""):
        file = _database().with_name(_database().name + suffix)
        if file.exists():
            shutil.move(file, moved.with_name(moved.name + suffix))
    return moved


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _explain(error: Exception, folder: Path) -> str:
    """Return a sentence on an error of the file system or of SQLite."""
    message = str(error)
    if "No space left" in message or "disk is full" in message:
        return f"the disk of {folder} is full. Free some space."
    return f"{message}."
