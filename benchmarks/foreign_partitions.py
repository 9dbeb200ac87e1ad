"""Moves partitions of items, bodies and search vectors to a second PostgreSQL server.

There they are plain tables with the same indexes. On the first server, foreign tables of
postgres_fdw take their places as partitions, so that every query stays as it is. PostgreSQL asks a
price:

- A partitioned table with a foreign partition can have no unique index, and so no primary key that
  others refer to. Each partition keeps its own.
- A statement's trigger can't collect the rows that it inserts into a foreign partition. The one
  that fills the search index becomes one for each row.

No process may write meanwhile. `move` needs a superuser, who may create the extension.
"""

from typing import Any

from tests.services import Postgres

SERVER = "older_months"
OPTIONS = "fetch_size '1000', batch_size '500'"
FOREIGN_KEYS = """
    SELECT conrelid::regclass::text, conname FROM pg_constraint
    WHERE contype = 'f' AND conparentid = 0
        AND (conrelid = ANY(%s::regclass[]) OR confrelid = ANY(%s::regclass[]))
"""
COLUMNS = """
    SELECT string_agg(format('%%I %%s%%s', attname, format_type(atttypid, atttypmod),
        CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END), ', ' ORDER BY attnum)
    FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped
"""
ADD_ROW = """
    CREATE OR REPLACE FUNCTION feeds_search_add_row() RETURNS trigger LANGUAGE plpgsql
    SET enable_hashjoin = off SET enable_mergejoin = off SET enable_seqscan = off AS $$
    BEGIN
    INSERT INTO feeds_search (item_id, source_id, vector)
      SELECT i.id, i.source_id, feeds_search_vector(
        feeds_search_stemmer(i.language), i.title, i.summary, NEW.text)
      FROM feeds_item i WHERE i.id = NEW.item_id;
    RETURN NULL;
    END $$
"""


def older_half() -> list[Any]:
    """Return the older half of the partitions that have items."""
    from django.db import connection

    from feeds.core.partitions import has_rows, spans

    with connection.cursor() as cursor:
        full = [span for span in spans() if has_rows(cursor, span.table("feeds_item"))]
    return full[: len(full) // 2]


def move(first: Postgres, second: Postgres, spans: list[Any]) -> int:
    """Move these partitions from `first`, Django's database. Returns the number of items."""
    import psycopg
    from django.db import connection, transaction

    from feeds.core.partitions import KEYS, forget_known_partitions
    from feeds.core.partitions import spans as all_spans

    with psycopg.connect(first.url()) as source, psycopg.connect(second.url()) as target:
        for span in spans:
            for table in KEYS:
                _copy(source.cursor(), target.cursor(), span.table(table))
            target.commit()
    second.sql("ANALYZE")
    existing = all_spans()
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        _connect(cursor, second)
        _drop_keys(cursor, [*KEYS])
        for table, key in KEYS.items():
            _swap(cursor, table, key, existing, spans)
        cursor.execute(ADD_ROW)
        cursor.execute(
            "CREATE OR REPLACE TRIGGER feeds_search_insert AFTER INSERT ON feeds_itembody"
            " FOR EACH ROW EXECUTE FUNCTION feeds_search_add_row()"
        )
    with connection.cursor() as cursor:
        for span in spans:
            for table in KEYS:
                cursor.execute(f"ANALYZE {span.table(table)}")
    forget_known_partitions()
    return int(second.sql(_count([span.table("feeds_item") for span in spans])))


def _count(tables: list[str]) -> str:
    parts = " UNION ALL ".join(f"SELECT count(*) AS rows FROM {table}" for table in tables)
    return f"SELECT sum(rows) FROM ({parts}) counted"


def _copy(source: Any, target: Any, table: str) -> None:
    """Create the table with its rows, and then its indexes, on the other server."""
    source.execute(COLUMNS, [table])
    (columns,) = source.fetchone()
    target.execute(f"CREATE TABLE {table} ({columns})")
    with (
        source.copy(f"COPY {table} TO STDOUT (FORMAT binary)") as rows,
        target.copy(f"COPY {table} FROM STDIN (FORMAT binary)") as copied,
    ):
        for data in rows:
            copied.write(data)
    source.execute(
        "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = %s::regclass", [table]
    )
    for (definition,) in source.fetchall():
        target.execute(definition)


def _connect(cursor: Any, second: Postgres) -> None:
    cursor.execute("CREATE EXTENSION IF NOT EXISTS postgres_fdw")
    cursor.execute(
        f"CREATE SERVER {SERVER} FOREIGN DATA WRAPPER postgres_fdw OPTIONS"
        f" (host '127.0.0.1', port '{second.port}', dbname 'ainews', {OPTIONS})"
    )
    cursor.execute(f"CREATE USER MAPPING FOR CURRENT_USER SERVER {SERVER} OPTIONS (user 'ainews')")


def _drop_keys(cursor: Any, tables: list[str]) -> None:
    """Drop the foreign keys of these tables and to them. Django still keeps to them."""
    cursor.execute(FOREIGN_KEYS, [tables, tables])
    for table, name in cursor.fetchall():
        cursor.execute(f'ALTER TABLE {table} DROP CONSTRAINT "{name}"')


def _swap(cursor: Any, table: str, key: str, existing: list[Any], moved: list[Any]) -> None:
    """Replace the moved partitions by foreign tables, and take the primary key off the parent.

    A partition that is detached meanwhile keeps its own.
    """
    for name in [span.table(table) for span in existing] + [f"{table}_default"]:
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
    cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {table}_pkey")
    for span in existing:
        bounds = f"FOR VALUES FROM ({span.low}) TO ({span.high})"
        name = span.table(table)
        if span in moved:
            cursor.execute(f"DROP TABLE {name}")
            cursor.execute(
                f"CREATE FOREIGN TABLE {name} PARTITION OF {table} {bounds} SERVER {SERVER}"
            )
        else:
            cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {name} {bounds}")
    cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")


def unique_keys(tables: list[str]) -> list[str]:
    """Return those of these tables that have a primary key."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid"
            " WHERE i.indisprimary AND c.relname = ANY(%s)",
            [tables],
        )
        return [name for (name,) in cursor.fetchall()]
