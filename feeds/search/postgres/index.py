# ruff: noqa: S608 - all of the SQL is our own
"""Creates, rebuilds and completes the full-text index on PostgreSQL that `schema` defines."""

import logging
import os
import threading
import time
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from typing import Any

from django.db import DatabaseError, connection, transaction

from feeds.coordination.revisions import CONTENT, bump_revision_if_used
from feeds.core import partitions
from feeds.search.postgres.schema import (
    FUNCTIONS,
    PENDING,
    TABLES,
    TRIGGERS,
    VERSION,
    configurations,
)

logger = logging.getLogger(__name__)

ORPHAN_AFTER = 0.5
"""Interval in seconds at which a worker process checks that its parent still runs."""
_TABLE_OF = {name: definition.split(" ON ")[1].split()[0] for name, definition in TRIGGERS.items()}


def ensure_index(database: Any, on_span: Callable[[str], None] = lambda name: None) -> bool:
    """Create the index, and return True if it had to be rebuilt from the items.

    It is rebuilt if any part is missing or differs, as items may have changed without the triggers.
    `on_span` is called with the name of each partition that is done.
    """
    with database.cursor() as cursor:
        if is_whole(cursor):
            return False
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        make_empty(cursor)
        for span in partitions.spans():
            build_detached(cursor, span)
            swap_in(cursor, span)
            on_span(span.name)
        finish(cursor)
    bump_revision_if_used(CONTENT, database)
    return True


def finish(cursor: Any) -> None:
    """Index the rows of the default partition and create the triggers, after all partitions are
    built."""
    if partitions.has_rows(cursor, "feeds_item_default"):
        cursor.execute("TRUNCATE feeds_search_default")
        _fill(cursor, "feeds_search_default", "feeds_item_default", "feeds_itembody")
    attach_triggers(cursor)
    cursor.execute(f"COMMENT ON TABLE feeds_search IS 'AI News {VERSION}'")


def complete(spans: Sequence[partitions.Span]) -> None:
    """Index the items of these partitions that the index lacks, for example because a partition of
    the index was dropped and created again."""
    with connection.cursor() as cursor:
        for span in spans:
            missing = f"s.item_id IS NULL AND i.id >= {span.low} AND i.id < {span.high}"
            search = "LEFT JOIN feeds_search s ON s.item_id = i.id"
            _fill(
                cursor, "feeds_search", "feeds_item", "feeds_itembody", f"{search} WHERE {missing}"
            )


def is_whole(cursor: Any) -> bool:
    cursor.execute("SELECT obj_description(to_regclass('feeds_search'), 'pg_class')")
    if cursor.fetchone()[0] != f"AI News {VERSION}":
        return False
    cursor.execute(
        "SELECT count(*) FROM pg_trigger WHERE tgparentid = 0 AND tgenabled <> 'D'"
        " AND tgname = ANY(%s)",
        [list(TRIGGERS)],
    )
    return bool(cursor.fetchone()[0] == len(TRIGGERS))


def make_empty(cursor: Any) -> None:
    """Create the tables and functions anew, without rows and without triggers."""
    detach_triggers(cursor)
    cursor.execute("DROP TABLE IF EXISTS feeds_search, feeds_search_stemmers")
    for statement in (*configurations(), *FUNCTIONS, *TABLES):
        cursor.execute(statement)


def attach_triggers(cursor: Any) -> None:
    for name, definition in TRIGGERS.items():
        cursor.execute(f"CREATE OR REPLACE TRIGGER {name} {definition}")


def detach_triggers(cursor: Any) -> None:
    for name, table in _TABLE_OF.items():
        cursor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")


def merge_pending(ids: Iterable[int]) -> None:
    """Move the pending entries of the GIN indexes into their trees, in the partitions of these ids.

    Otherwise a later poll would have to do so while it stores, and searches would have to scan the
    pending entries. Does nothing on SQLite.
    """
    new_ids = sorted(ids) if connection.vendor == "postgresql" else []
    if not new_ids:
        return
    tables = [
        span.table("feeds_search")
        for span in partitions.spans()
        if bisect_left(new_ids, span.low) < bisect_left(new_ids, span.high)
    ]
    try:
        _clean_lists(tables)
    except DatabaseError as error:  # the partition was dropped meanwhile
        logger.info("search_not_sorted_in reason=%s", error)


def _clean_lists(tables: Sequence[str]) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT gin_clean_pending_list(i.indexrelid) FROM pg_index i"
            " JOIN pg_class t ON t.oid = i.indrelid JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_am a ON a.oid = c.relam WHERE a.amname = 'gin' AND t.relname = ANY(%s)"
            " AND t.relnamespace = current_schema()::regnamespace",
            [list(tables)],
        )


def rebuild_many(spans: Sequence[partitions.Span]) -> Iterator[partitions.Span]:
    """Rebuild the index of these partitions in parallel, and yield each partition that is done.

    There is a process for each CPU, and a transaction for each partition. The caller makes sure
    that no other process writes items meanwhile.
    """
    with connection.cursor() as cursor:
        # Before the processes start, as they would wait for each other's locks of rows.
        cursor.execute(
            "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
            " FROM (SELECT DISTINCT language FROM feeds_item) known ON CONFLICT DO NOTHING"
        )
    connection.close()  # the processes must not share it
    with ProcessPoolExecutor(
        os.cpu_count() or 2, get_context("fork"), initializer=_exit_with, initargs=(os.getpid(),)
    ) as pool:
        parts = {pool.submit(_rebuild, span): span for span in spans}
        for part in as_completed(parts):
            part.result()
            yield parts[part]


def _exit_with(parent: int) -> None:
    """Exit this worker process when `parent` was killed, as it would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_AFTER)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _rebuild(span: partitions.Span) -> None:
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
            build_detached(cursor, span)
        with transaction.atomic():
            swap_in(cursor, span)
    connection.close()


def build_detached(cursor: Any, span: partitions.Span) -> None:
    """Build the index of a partition in a separate table, which `swap_in` attaches.

    It reads the partitions of items directly, so several processes may build one each.
    """
    table = f"{span.table('feeds_search')}_made"
    cursor.execute(f"DROP TABLE IF EXISTS {table}")
    cursor.execute(f"CREATE TABLE {table} (LIKE feeds_search INCLUDING STORAGE)")
    _fill(cursor, table, span.table("feeds_item"), span.table("feeds_itembody"))
    cursor.execute(f"ALTER TABLE {table} ADD PRIMARY KEY (item_id)")
    cursor.execute(
        f"CREATE INDEX ON {table} USING gin (vector) WITH (gin_pending_list_limit = {PENDING})"
    )


def swap_in(cursor: Any, span: partitions.Span) -> None:
    """Replace the partition of the index by the table that `build_detached` created.

    It locks the partitions until the transaction ends, so call it in a short one.
    """
    partitions.lock(cursor)
    name = span.table("feeds_search")
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"ALTER TABLE {name}_made RENAME TO {name}")
    cursor.execute(f"ALTER INDEX {name}_made_pkey RENAME TO {name}_pkey")
    cursor.execute(f"ALTER INDEX {name}_made_vector_idx RENAME TO {name}_vector_idx")
    partitions.attach(cursor, "feeds_search", span)


def _fill(cursor: Any, table: str, items: str, bodies: str, condition: str = "") -> None:
    cursor.execute(
        "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
        f" FROM {items} ON CONFLICT DO NOTHING"
    )
    cursor.execute(
        f"INSERT INTO {table} (item_id, source_id, vector) SELECT i.id, i.source_id,"
        " feeds_search_vector(feeds_search_stemmer(i.language), i.title, i.summary, b.text)"
        f" FROM {items} i JOIN {bodies} b ON b.item_id = i.id {condition} ORDER BY i.id"
    )


def drop_index(database: Any) -> None:
    with database.cursor() as cursor:
        detach_triggers(cursor)
        cursor.execute("DROP TABLE IF EXISTS feeds_search, feeds_search_stemmers")
        for name in ("stemmer(text)", "words(text)", "vector(text, text, text, text)"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}")
        for name in ("add", "renew", "remove"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}()")
