"""On PostgreSQL the large tables become partitioned by their time-ordered ids.

The models do not know: names of tables, columns and indexes stay. What no longer holds is
the foreign key from a body to its item, which would make taking a month out check every
row twice; the ORM deletes both.
"""

from typing import Any

from django.db import migrations

from feeds.core import partitions

INDEXES = "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = %s AND schemaname = current_schema()"
OWN_KEYS = "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass AND contype = 'f'"
KEYS_TO_IT = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE confrelid = %s::regclass AND contype = 'f'"
)


def partition(apps: Any, schema_editor: Any) -> None:
    if schema_editor.connection.vendor != "postgresql":
        return
    with schema_editor.connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SELECT id FROM feeds_item")
        ids = [row[0] for row in cursor.fetchall()]
        for table in ("feeds_itembody", "feeds_item"):
            _partition(cursor, table, partitions.KEYS[table], _spans(ids))


def _spans(ids: list[int]) -> list[partitions.Span]:
    from django.utils import timezone

    found: list[partitions.Span] = []
    for pk in sorted(ids):
        if not found or pk not in found[-1]:
            found.append(partitions.span_for(pk, found, timezone.now()))
    return found


def _rows(cursor: Any, query: str, table: str) -> list[Any]:
    cursor.execute(query, [table])
    return cursor.fetchall()


def _partition(cursor: Any, table: str, key: str, spans: list[partitions.Span]) -> None:
    plain = f"{table}_plain"
    indexes = _rows(cursor, INDEXES, table)
    own = _rows(cursor, OWN_KEYS, table) if table == "feeds_item" else []
    to_it = _rows(cursor, KEYS_TO_IT, table)
    for other, name, _ in to_it:
        cursor.execute(f'ALTER TABLE {other} DROP CONSTRAINT "{name}"')
    cursor.execute(f"ALTER TABLE {table} RENAME TO {plain}")
    cursor.execute(
        f"CREATE TABLE {table} (LIKE {plain} INCLUDING DEFAULTS INCLUDING STORAGE)"
        f" PARTITION BY RANGE ({key})"
    )
    cursor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")
    for span in spans:
        cursor.execute(
            f"CREATE TABLE {span.table(table)} PARTITION OF {table}"
            f" FOR VALUES FROM ({span.low}) TO ({span.high})"
        )
    cursor.execute(f"INSERT INTO {table} SELECT * FROM {plain}")
    cursor.execute(f"DROP TABLE {plain}")
    cursor.execute(f"ALTER TABLE {table} ADD CONSTRAINT {table}_pkey PRIMARY KEY ({key})")
    for name, definition in indexes:
        if not name.endswith("_pkey"):
            cursor.execute(definition)
    for name, definition in own:
        cursor.execute(f'ALTER TABLE {table} ADD CONSTRAINT "{name}" {definition}')
    for other, name, definition in to_it:
        cursor.execute(f'ALTER TABLE {other} ADD CONSTRAINT "{name}" {definition}')


class Migration(migrations.Migration):
    dependencies = [("feeds", "0003_sanitise_frames")]
    operations = [migrations.RunPython(partition, migrations.RunPython.noop)]
