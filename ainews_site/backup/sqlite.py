"""Back-ups of the whole database, checked when made and before they are used.

SQLite by its online back-up, PostgreSQL by pg_dump: both are of one moment, and nobody waits.
Beside each lies a manifest with its SHA-256 and what must be in it.
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

SUFFIXES = {"sqlite": ".sqlite3", "postgresql": ".dump"}
PAGES = 4_096
"""Of SQLite that are copied at a time; whoever writes gets a turn in between."""
PAUSE = 0.01


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
        rows = (_dump_sqlite if kind == "sqlite" else dump_postgres)(half)
        manifest = Manifest(
            kind, made_at.isoformat(), half.stat().st_size, _hash(half), rows, _migrations()
        )
        _sync(half)
        half.replace(path)
        half.write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        half.replace(manifest_of(path))
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"No backup was made: {_words(error, folder)}") from error
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
    """Raises BackupError unless this program can restore it here; changes nothing."""
    manifest = read_backup(path)
    if manifest.kind != connection.vendor:
        raise BackupError(
            f"{path} is a {manifest.kind} backup, but DATABASE_URL is {connection.vendor}. Restore"
            f" it to {manifest.kind}, then run migrate_to_postgres or migrate_to_sqlite."
        )
    if newer := sorted(set(manifest.migrations) - set(_known_migrations())):
        raise BackupError(f"{path} was made by a newer version ({newer[0]}). Update AI News first.")
    if manifest.kind == "sqlite":
        try:
            with closing(_open(path)) as database:
                _checked(database)
        except sqlite3.Error as error:
            raise BackupError(f"{path} is damaged ({error}); use another backup.") from error
    return manifest


def restore_backup(path: Path, manifest: Manifest, *, replace: bool = False) -> None:
    """Put a usable back-up in the place of the database, which must be empty or to be replaced."""
    if not replace and (there := _what_is_there()):
        raise BackupError(
            f"The database has {there}. Use --replace to replace them; a backup of them is made"
            " first."
        )
    try:
        (_restore_sqlite if manifest.kind == "sqlite" else restore_postgres)(path)
    except (OSError, sqlite3.Error) as error:
        raise BackupError(f"Nothing was restored: {_words(error, path.parent)}") from error
    if (found := counts()) != manifest.rows:
        raise BackupError(
            f"The restored row counts {found} differ from those of the backup {manifest.rows}."
        )


def _what_is_there() -> str:
    """In words; "" where nothing is, or nothing but what every new database has."""
    named = {"feeds_item": "item", "feeds_source": "source", "accounts_user": "user"}
    tables = set(connection.introspection.table_names()) & set(named)
    rows = [(count(table), name) for table, name in named.items() if table in tables]
    return ", ".join(f"{n:,} {name}{'s' * (n != 1)}" for n, name in rows if n)


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
    rows = "SELECT count(*) FROM"
    return {table: database.execute(f"{rows} {table}").fetchone()[0] for table in COUNTED}


def _restore_sqlite(path: Path) -> None:
    """Into the file as it lies there: who has it open sees the new rows from then on."""
    with closing(_open(path)) as source:
        connection.close()
        with closing(_open(_database())) as target:
            source.backup(target)


def _database() -> Path:
    return Path(connection.settings_dict["NAME"])


def _open(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=30)


def keep_what_is_there(folder: Path) -> Path | None:
    """Before it is replaced: a back-up of it, or the file itself when it is too damaged for one;
    None when there is nothing."""
    if is_damaged():
        return _set_aside(folder)
    if "feeds_itemstate" not in connection.introspection.table_names():
        return None
    return make_backup(folder)


def is_damaged() -> bool:
    """Whether the file is no sound database; PostgreSQL itself sees to its own."""
    if connection.vendor != "sqlite" or not _database().is_file():
        return False
    try:
        with closing(_open(_database())) as database:
            return bool(database.execute("PRAGMA quick_check").fetchone()[0] != "ok")
    except sqlite3.OperationalError:  # locked, or not ours to read
        return False
    except sqlite3.DatabaseError:
        return True


def _set_aside(folder: Path) -> Path:
    connection.close()
    folder.mkdir(parents=True, exist_ok=True)
    kept = folder / f"damaged-{datetime.now(UTC):%Y%m%dT%H%M%SZ}.sqlite3"
    for suffix in ("-wal", "-shm", ""):
        file = _database().with_name(_database().name + suffix)
        if file.exists():
            shutil.move(file, kept.with_name(kept.name + suffix))
    return kept


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _words(error: Exception, folder: Path) -> str:
    said = str(error)
    if "No space left" in said or "disk is full" in said:
        return f"the disk of {folder} is full. Free some space."
    return f"{said}."
