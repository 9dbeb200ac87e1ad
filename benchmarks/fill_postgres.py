"""Fill an empty PostgreSQL database with a library.

Each month is copied by COPY into its partition, and search vectors and indexes are built
afterwards. There is one process per CPU, at least two.
"""

import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from typing import Any

from benchmarks.library import READERS, SOURCES, STATES, Library, Row, Words

TABLES = ("feeds_item", "feeds_itembody")
ITEM = (
    "id, seq, source_id, story_id, story_pinned, url, title, author, summary, image_url,"
    " language, topics, published_at, fetched_at, content_hash"
)
BODY = "item_id, html, text, enclosures, is_full_text"
KEY = "seq, source_id, key_hash, alt_hash, item_id"
STORY = (
    "id, title, lead_id, first_at, last_at, item_count, source_count, copy_count, topics,"
    " last_seq, title_pinned"
)
LOOSE = ("feeds_itemkey", "feeds_story", "feeds_itemstate")
"""Tables without partitions. Their indexes are built at the end."""
SEQUENCES = {
    "feeds_source": "id",
    "accounts_user": "id",
    "feeds_itemkey": "seq",
    "feeds_itemstate": "id",
}
TOPICS = ('["models"]', '["research"]', '["chips", "hardware"]', "[]", '["policy"]')


def fill(library: Library) -> dict[str, float]:
    """Fill the database. Return {step: seconds}."""
    from django.db import connection

    seconds: dict[str, float] = {}
    with timed(seconds, "sources and readers"):
        people(library)
    with connection.cursor() as cursor:
        remake = _drop_indexes(cursor)
        _make_partitions(library)
        # Inserted here, because two processes that insert the same row would block each other.
        cursor.execute(
            "INSERT INTO feeds_search_stemmers VALUES ('english'), ('german'), ('french')"
            " ON CONFLICT DO NOTHING"
        )
    with timed(seconds, "months"):
        wanted = _partitions_of(library)
        connection.close()  # child processes must not share it
        with ProcessPoolExecutor(max(os.cpu_count() or 2, 2), initializer=_start) as pool:
            parts = [pool.submit(_month, library, span) for span in wanted]
            for done, part in enumerate(as_completed(parts), 1):
                for step, spent in part.result().items():
                    name = f"  {step}, both processes"
                    seconds[name] = seconds.get(name, 0) + spent
                print(f"\r{done} of {len(parts)} months", end="", flush=True)
            print()
    with connection.cursor() as cursor:
        with timed(seconds, "read state"):
            _states(cursor, library)
        with timed(seconds, "indexes of the ledger, stories and states"):
            for statement in remake:
                cursor.execute(statement)
        with timed(seconds, "sequences and statistics"):
            for table, column in SEQUENCES.items():
                cursor.execute(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'),"
                    f" (SELECT max({column}) FROM {table}))"
                )
            cursor.execute("VACUUM ANALYZE")
    return seconds


def people(library: Library) -> None:
    """Create 500 sources, and 1,000 readers with subscriptions and watermarks."""
    from accounts.models import User
    from feeds.models import Source, Subscription

    Source.objects.bulk_create(
        Source(pk=n, url=f"https://outlet{n}.example/feed", title=f"Outlet {n}", is_public=True)
        for n in range(1, SOURCES + 1)
    )
    User.objects.bulk_create(
        User(pk=n, username=f"reader{n}", password="!") for n in range(1, READERS + 1)
    )
    month = library.items // 24
    Subscription.objects.bulk_create(
        Subscription(
            user_id=n,
            source_id=source,
            # Every other reader marked everything as read some days ago; the first one never did.
            read_up_to=library.items - month * (n % 20) // 30 if n % 2 == 0 else 0,
        )
        for n in range(1, READERS + 1)
        for source in library.follows(n)
    )


def _drop_indexes(cursor: Any) -> list[str]:
    """Drop indexes and constraints. Return the statements that recreate them."""
    remake = []
    cursor.execute(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f'"
        " AND conrelid = 'feeds_itemstate'::regclass AND confrelid = 'feeds_item'::regclass"
    )
    for name, definition in cursor.fetchall():  # referenced tables cannot be truncated
        cursor.execute(f"ALTER TABLE feeds_itemstate DROP CONSTRAINT {name}")
        remake.append(f"ALTER TABLE feeds_itemstate ADD CONSTRAINT {name} {definition}")
    for table in LOOSE:
        cursor.execute(
            "SELECT i.indexrelid::regclass, pg_get_indexdef(i.indexrelid), c.conname,"
            " pg_get_constraintdef(c.oid) FROM pg_index i LEFT JOIN pg_constraint c"
            " ON c.conindid = i.indexrelid AND c.contype = 'u'"
            " WHERE i.indrelid = %s::regclass AND NOT i.indisprimary",
            [table],
        )
        for index, definition, constraint, means in cursor.fetchall():
            if constraint:
                cursor.execute(f"ALTER TABLE {table} DROP CONSTRAINT {constraint}")
                remake.append(f"ALTER TABLE {table} ADD CONSTRAINT {constraint} {means}")
            else:
                cursor.execute(f"DROP INDEX {index}")
                remake.append(definition)
    return remake


def _make_partitions(library: Library) -> None:
    from feeds.core.ids import lowest_id
    from feeds.core.partitions import ensure_partitions

    ensure_partitions({lowest_id(library.day(days)) for days in range(0, 725, 5)})


def _partitions_of(library: Library) -> list[Any]:
    from feeds.core.partitions import spans

    return [span for span in spans() if library.number_at(span.low) < library.number_at(span.high)]


def _start() -> None:
    global _words
    import django

    django.setup()
    _words = Words()


def _month(library: Library, span: Any) -> dict[str, float]:
    """Fill one partition. Return {step: seconds}."""
    from django.db import connection, transaction

    from feeds.search.postgres import index as postgres_index

    seconds: dict[str, float] = {}
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET maintenance_work_mem = '1GB'")
        with timed(seconds, "rows by COPY"), transaction.atomic():
            _copy(cursor, library, span)
        with timed(seconds, "search vectors and GIN"):
            with transaction.atomic():
                postgres_index.build_detached(cursor, span)
            with transaction.atomic():
                postgres_index.swap_in(cursor, span)
    connection.close()
    return seconds


def _copy(cursor: Any, library: Library, span: Any) -> None:
    for table in TABLES:
        cursor.execute(f"TRUNCATE {span.table(table)}")
    item, body = (span.table(table) for table in TABLES)
    for rows in library.rows(_words, library.number_at(span.low), library.number_at(span.high)):
        for statement, lines in (
            (f"{item} ({ITEM})", map(_item, rows)),
            (f"{body} ({BODY})", map(_body, rows)),
        ):
            with cursor.copy(f"COPY {statement} FROM STDIN (FREEZE)") as copy:
                copy.write("".join(lines))
        for statement, lines in (
            (f"feeds_itemkey ({KEY})", map(_key, rows)),
            (f"feeds_story ({STORY})", map(_story, leads(rows))),
        ):
            with cursor.copy(f"COPY {statement} FROM STDIN") as copy:
                copy.write("".join(lines))


def _item(row: Row) -> str:
    return (
        f"{row.id}\t{row.seq}\t{row.source}\t{row.story}\tf"
        f"\thttps://outlet{row.source}.example/news/{row.seq}/{row.title[:30].replace(' ', '-')}"
        f"\t{row.title}\tA. Writer\t{row.summary}\t\t{row.language}\t{TOPICS[row.seq % 5]}"
        f"\t{row.published}\t{row.published}\t{signed_hash(row.seq)}\n"
    )


def _body(row: Row) -> str:
    return f"{row.id}\t{row.html}\t{row.text}\t[]\tf\n"


def _key(row: Row) -> str:
    return f"{row.seq}\t{row.source}\t{signed_hash(row.seq)}\t{signed_hash(-row.seq)}\t{row.id}\n"


def leads(rows: list[Row]) -> Iterator[tuple[Row, int, int]]:
    """Return (lead, number of items, newest seq) of each story. Stories never span two chunks."""
    stories: dict[int, list[Row]] = {}
    for row in rows:
        stories.setdefault(row.story, []).append(row)
    return ((items[0], len(items), items[-1].seq) for items in stories.values())


def _story(lead: tuple[Row, int, int]) -> str:
    row, count, seq = lead
    return (
        f"{row.story}\t{row.title}\t{row.id}\t{row.published}\t{row.published}\t{count}\t{count}"
        f"\t0\t[]\t{seq}\tf\n"
    )


def signed_hash(number: int) -> int:
    """A hash that is spread over signed 64 bits, like a BLAKE2b hash."""
    return (number * 0x9E3779B97F4A7C15 + (1 << 63)) % (1 << 64) - (1 << 63)


def _states(cursor: Any, library: Library) -> None:
    """Create 500 states per reader: items opened in the last month, and items saved at any time."""
    cursor.execute("SET session_replication_role = replica")
    cursor.execute("SELECT setseed(0.5)")
    for newest, share, is_saved in ((library.items // 24, 0.8, False), (library.items, 0.2, True)):
        cursor.execute(
            "INSERT INTO feeds_itemstate (user_id, item_id, is_read, is_opened, is_saved,"
            " is_hidden, changed_at, told_at) SELECT DISTINCT ON (u, k.item_id)"
            " u, k.item_id, TRUE, TRUE, %s,"
            " random() < 0.02, now(), now() FROM (SELECT u,"
            " %s - floor(random() * %s)::bigint AS seq FROM generate_series(1, %s) u,"
            " generate_series(1, %s)) drawn JOIN feeds_itemkey k ON k.seq = drawn.seq"
            " WHERE NOT EXISTS (SELECT FROM feeds_itemstate t WHERE t.user_id = u"
            " AND t.item_id = k.item_id)",
            [is_saved, library.items, newest, READERS, int(STATES * share)],
        )
    cursor.execute("SET session_replication_role = origin")


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    """Add the duration of the block to `seconds[name]`."""
    started = time.perf_counter()
    yield
    seconds[name] = seconds.get(name, 0) + time.perf_counter() - started
