"""Counts and hashes of all tables, to compare a database before a loss and after its restore."""

import hashlib
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
from psycopg import sql

Digests = dict[str, tuple[int, str]]
"""{table: (number of rows, hash of them in any order)}."""
VOLATILE = {"accounts_user": ("version",), "accounts_apitoken": ("last_used_at",)}
"""Columns that `invalidate_caches` and each request write."""
CHANGING = frozenset({"feeds_revision", "django_q_ormq", "accounts_attemptcount"})
"""Tables that `invalidate_caches`, a worker and a sign-in write."""
TABLES = (
    "SELECT c.relname, EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid"
    " AND a.attname = 'user_id' AND NOT a.attisdropped) FROM pg_class c"
    " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'public'"
    " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
)


def of_postgres(url: str, writers: list[int]) -> Digests:
    """Return the digests of all tables, without the rows of `writers`."""
    digests: Digests = {}
    with psycopg.connect(url) as connection:
        connection.execute("SET max_parallel_workers_per_gather = 2")
        for table, has_user in connection.execute(TABLES).fetchall():
            if table in CHANGING:
                continue
            condition = sql.SQL("user_id <> ALL(%s)") if has_user else sql.SQL("%s IS NOT NULL")
            row = sql.SQL("to_jsonb(t) - %s::text[]") if table in VOLATILE else sql.SQL("t.*")
            statement = sql.SQL(
                "SELECT count(*), coalesce(sum(hashtextextended(({})::text, 0)::numeric), 0)"
                " FROM {} t WHERE {}"
            ).format(row, sql.Identifier(table), condition)
            volatile = [list(VOLATILE[table])] if table in VOLATILE else []
            count, total = connection.execute(statement, [*volatile, writers]).fetchone() or (0, 0)
            digests[table] = (count, str(total))
    return digests


def of_sqlite(path: Path, writers: list[int]) -> Digests:
    """Return the same of a SQLite file."""
    digests: Digests = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        names = database.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            " AND name NOT LIKE '_litestream%' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY 1"
        )
        for (table,) in names.fetchall():
            if table not in CHANGING:
                digests[table] = _of_table(database, table, writers)
    return digests


def _of_table(database: sqlite3.Connection, table: str, writers: list[int]) -> tuple[int, str]:
    columns = [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]
    wanted = [name for name in columns if name not in VOLATILE.get(table, ())]
    names = ", ".join(f'"{name}"' for name in wanted)
    given = ", ".join(map(str, writers))
    condition = f"WHERE user_id NOT IN ({given})" if "user_id" in columns else ""
    count = total = 0
    for row in database.execute(f'SELECT {names} FROM "{table}" {condition}'):
        digest = hashlib.blake2b(repr(row).encode(), digest_size=8).digest()
        count, total = count + 1, (total + int.from_bytes(digest)) % (1 << 64)
    return count, str(total)


def differences(before: Digests, after: Digests) -> list[str]:
    """Return a sentence for each table that is not as it was."""
    return [
        f"{table}: {before.get(table)} before, {after.get(table)} after"
        for table in sorted(before.keys() | after.keys())
        if before.get(table) != after.get(table)
    ]
