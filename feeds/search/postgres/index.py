# ruff: noqa: S608 - all of the SQL is our own
"""Makes the full-text index on PostgreSQL that `postgres_schema` describes, and keeps it whole."""

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
"""Seconds after which a process notices that the one it works for was killed."""
_TABLE_OF = {name: definition.split(" ON ")[1].split()[0] for name, definition in TRIGGERS.items()}


def ensure_index(database: Any, on_span: Callable[[str], None] = lambda name: None) -> bool:
    """Make the index as it is described here; True when it had to be built from the items.

    A part that is missing or different means that rows may have changed unseen.
    """
    with database.cursor() as cursor:
        if _is_whole(cursor):
            return False
    with transaction.atomic(using=database.alias), database.cursor() as cursor:
        make_empty(cursor)
        for span in partitions.spans():
            make_apart(cursor, span)
            put_in_place(cursor, span)
            on_span(span.name)
        finish(cursor)
    bump_revision_if_used(CONTENT, database)
    return True


def finish(cursor: Any) -> None:
    """When all partitions are made: what lies in none, and the triggers that keep it in step."""
    if partitions.has_rows(cursor, "feeds_item_default"):
        cursor.execute("TRUNCATE feeds_search_default")
        _fill(cursor, "feeds_search_default", "feeds_item_default", "feeds_itembody")
    attach_triggers(cursor)
    cursor.execute(f"COMMENT ON TABLE feeds_search IS 'AI News {VERSION}'")


def complete(spans: Sequence[partitions.Span]) -> None:
    """Make the vectors that a partition lost, as one that somebody dropped and that was made
    anew."""
    with connection.cursor() as cursor:
        for span in spans:
            missing = f"s.item_id IS NULL AND i.id >= {span.low} AND i.id < {span.high}"
            search = "LEFT JOIN feeds_search s ON s.item_id = i.id"
            _fill(
                cursor, "feeds_search", "feeds_item", "feeds_itembody", f"{search} WHERE {missing}"
            )


def _is_whole(cursor: Any) -> bool:
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
    """The tables and functions without a row and without triggers."""
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


def sort_in(ids: Iterable[int]) -> None:
    """Sort in what GIN keeps in its lists of new entries, where items of these ids lie. Done
    now, when nobody waits, neither the next who stores nor who searches has to."""
    new = sorted(ids) if connection.vendor == "postgresql" else []
    if not new:
        return
    tables = [
        span.table("feeds_search")
        for span in partitions.spans()
        if bisect_left(new, span.low) < bisect_left(new, span.high)
    ]
    try:
        _clean_lists(tables)
    except DatabaseError as error:  # a partition that was dropped meanwhile has no list
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
    """Make the vectors of these partitions anew, each in a transaction of its own, in a process
    for each CPU; what is done, as it gets done. Nobody may write meanwhile."""
    with connection.cursor() as cursor:
        # Now, or two processes would wait for each other's line.
        cursor.execute(
            "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
            " FROM (SELECT DISTINCT language FROM feeds_item) known ON CONFLICT DO NOTHING"
        )
    connection.close()  # not for the processes to share
    with ProcessPoolExecutor(
        os.cpu_count() or 2, get_context("fork"), initializer=_end_with, initargs=(os.getpid(),)
    ) as pool:
        parts = {pool.submit(_rebuild, span): span for span in spans}
        for part in as_completed(parts):
            part.result()
            yield parts[part]


def _end_with(parent: int) -> None:
    """Let this process of the pool end when `parent` was killed: it would wait for ever."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(ORPHAN_AFTER)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _rebuild(span: partitions.Span) -> None:
    with connection.cursor() as cursor:
        with transaction.atomic():
            cursor.execute("SET LOCAL maintenance_work_mem = '512MB'")
            make_apart(cursor, span)
        with transaction.atomic():
            put_in_place(cursor, span)
    connection.close()


def make_apart(cursor: Any, span: partitions.Span) -> None:
    """Make the vectors of a partition with their indexes in a table of their own.

    From the partitions themselves: several processes may do one each at a time.
    """
    made = f"{span.table('feeds_search')}_made"
    cursor.execute(f"DROP TABLE IF EXISTS {made}")
    cursor.execute(f"CREATE TABLE {made} (LIKE feeds_search INCLUDING STORAGE)")
    _fill(cursor, made, span.table("feeds_item"), span.table("feeds_itembody"))
    cursor.execute(f"ALTER TABLE {made} ADD PRIMARY KEY (item_id)")
    cursor.execute(
        f"CREATE INDEX ON {made} USING gin (vector) WITH (gin_pending_list_limit = {PENDING})"
    )


def put_in_place(cursor: Any, span: partitions.Span) -> None:
    """Let what was made apart be the partition. Two may not do so at once: call it in a short
    transaction of its own."""
    partitions.lock(cursor)
    name = span.table("feeds_search")
    cursor.execute(f"DROP TABLE IF EXISTS {name}")
    cursor.execute(f"ALTER TABLE {name}_made RENAME TO {name}")
    cursor.execute(f"ALTER INDEX {name}_made_pkey RENAME TO {name}_pkey")
    cursor.execute(f"ALTER INDEX {name}_made_vector_idx RENAME TO {name}_vector_idx")
    partitions.attach(cursor, "feeds_search", span)


def _fill(cursor: Any, table: str, items: str, bodies: str, which: str = "") -> None:
    cursor.execute(
        "INSERT INTO feeds_search_stemmers SELECT DISTINCT feeds_search_stemmer(language)"
        f" FROM {items} ON CONFLICT DO NOTHING"
    )
    cursor.execute(
        f"INSERT INTO {table} (item_id, source_id, vector) SELECT i.id, i.source_id,"
        " feeds_search_vector(feeds_search_stemmer(i.language), i.title, i.summary, b.text)"
        f" FROM {items} i JOIN {bodies} b ON b.item_id = i.id {which} ORDER BY i.id"
    )


def drop_index(database: Any) -> None:
    with database.cursor() as cursor:
        detach_triggers(cursor)
        cursor.execute("DROP TABLE IF EXISTS feeds_search, feeds_search_stemmers")
        for name in ("stemmer(text)", "words(text)", "vector(text, text, text, text)"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}")
        for name in ("add", "renew", "remove"):
            cursor.execute(f"DROP FUNCTION IF EXISTS feeds_search_{name}()")
