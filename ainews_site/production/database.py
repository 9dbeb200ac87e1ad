"""Rows on the database: that it is migrated, indexed and backed up."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import connection

from ainews_site.backup.row_counts import BackupError
from ainews_site.backup.sqlite import SUFFIXES, read_backup
from ainews_site.infra.invocation import manage_command
from ainews_site.infra.schema import schema_problem
from ainews_site.production.row import Outcome, not_done, ok, warning
from feeds.search.postgres.index import is_whole

OLDEST_BACKUP = timedelta(hours=26)
"""A nightly backup is at most this old, with two hours for making it."""
FEW_ROWS = 1_000
"""Statistics of smaller tables do not matter."""
NEVER_ANALYSED = """
    SELECT c.relname FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        AND c.reltuples < 0 AND s.n_live_tup > %s ORDER BY 1
"""
"""Tables that neither ANALYZE nor autovacuum has seen."""
CHANGED = """
    SELECT c.relname FROM pg_class c JOIN pg_stat_user_tables s ON s.relid = c.oid
    WHERE c.relkind = 'r' AND c.relnamespace = current_schema()::regnamespace
        AND s.n_mod_since_analyze > greatest(%s, c.reltuples / 2) ORDER BY 1
"""
"""Tables half of which has changed since. Autovacuum analyses at a tenth."""
INVALID = """
    SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE NOT i.indisvalid AND c.relnamespace = current_schema()::regnamespace ORDER BY 1
"""


def migrated() -> Outcome:
    if problem := schema_problem():
        return not_done("The database lacks migrations.", problem + ".")
    if connection.vendor != "postgresql":
        return not_done(
            "The database is SQLite, which has one writer and one machine.",
            f"Run {manage_command()} migrate_to_postgres --to URL, then set DATABASE_URL.",
        )
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        version = cursor.fetchone()[0].split()[0]
    return ok(f"PostgreSQL {version} has all migrations.")


def indexed() -> Outcome:
    if missing := missing_indexes():
        return not_done(
            _some(missing, "index is missing", "indexes are missing"),
            f"Run {manage_command()} migrate; if that does not create them, restore a backup.",
        )
    return _postgres_statistics() if connection.vendor == "postgresql" else _sqlite_statistics()


def missing_indexes() -> list[str]:
    """Return the names of indexes that the models define and the database lacks."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT indexname FROM pg_indexes WHERE schemaname = current_schema()")
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE type = 'index'")
        existing = {name for (name,) in cursor.fetchall()}
    wanted = {
        index.name
        for model in apps.get_models()
        for index in model._meta.indexes
        if model._meta.managed and not model._meta.proxy
    }
    return sorted(wanted - existing)


def _postgres_statistics() -> Outcome:
    with connection.cursor() as cursor:
        if not is_whole(cursor):
            return not_done("The search index is incomplete.", f"Run {manage_command()} migrate.")
        if invalid := _names(cursor, INVALID):
            return not_done(
                _some(invalid, "index is invalid", "indexes are invalid"),
                f"Run REINDEX INDEX CONCURRENTLY {invalid[0]}.",
            )
        if never := _names(cursor, NEVER_ANALYSED, FEW_ROWS):
            return not_done(
                _some(never, "table was never analysed", "tables were never analysed"),
                "Run ANALYZE, and keep autovacuum on.",
            )
        if changed := _names(cursor, CHANGED, FEW_ROWS):
            return warning(
                _some(changed, "table has changed a lot", "tables have changed a lot"),
                "Run ANALYZE, and keep autovacuum on.",
            )
    return ok("All indexes exist and are valid, and the statistics are current.")


def _sqlite_statistics() -> Outcome:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM sqlite_master WHERE name = 'sqlite_stat1'")
        if cursor.fetchone()[0]:
            return ok("All indexes exist, and the tables were analysed.")
        return warning("SQLite was never analysed.", "Run ANALYZE in the database.")


def _names(cursor: object, query: str, *values: int) -> list[str]:
    cursor.execute(query, values)  # type: ignore[attr-defined]
    return [name for (name,) in cursor.fetchall()]  # type: ignore[attr-defined]


def _some(names: list[str], one: str, more: str) -> str:
    shown = ", ".join(names[:3]) + (", …" if len(names) > 3 else "")
    return f"{len(names)} {one if len(names) == 1 else more}: {shown}."


def backed_up() -> Outcome:
    """Check the newest backup whole: its age, size and SHA-256."""
    folder = settings.DATA / "backups"
    remedy = f"Run {manage_command()} backup --keep 14, and enable ainews-backup.timer."
    newest = max(folder.glob(f"ainews-*{SUFFIXES[connection.vendor]}"), default=None)
    if newest is None:
        return not_done(f"There is no backup in {folder}.", remedy)
    return _check_backup(newest, remedy)


def _check_backup(path: Path, remedy: str) -> Outcome:
    try:
        manifest = read_backup(path)
    except BackupError as error:
        return not_done(str(error), remedy)
    age = datetime.now(UTC) - datetime.fromisoformat(manifest.made_at)
    hours = int(age.total_seconds() // 3600)
    if age > OLDEST_BACKUP:
        return warning(f"The newest backup, {path.name}, is {hours} hours old.", remedy)
    items = manifest.rows.get("feeds_item", 0)
    return ok(f"{path.name} with {items:,} items is {hours} hours old and unchanged.")
