"""Create and change the partitions of the large tables on PostgreSQL. SQLite has plain tables.

Items, their bodies and their search vectors are partitioned by ranges of the time-ordered id: one
partition per month, or per year for years long past. Partitions are created before rows are
inserted into them. A DEFAULT partition takes rows of any other range; the rows are moved as soon
as the partition of their range is created.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from feeds.core.ids import id_time, lowest_id

KEYS = {"feeds_item": "id", "feeds_itembody": "item_id", "feeds_search": "item_id"}
"""The partitioned tables, and the column that each is partitioned by."""
YEARS_BY_MONTH = 2
"""Number of past years that have monthly partitions; earlier ones have one per year."""
MONTHS_AHEAD = 3
_LOCK = 0x5E02  # key of the advisory lock: any number, the same in all processes
_PATIENCE = "2s"
_TRIES = 5
_BOUNDS = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")
_known: set["Span"] = set()  # partitions that this process created or found
_known_until = 0.0
_seen: tuple[float, list["Span"]] = (0.0, [])
FRESH = 60.0
"""Seconds for which a process trusts its list of partitions. A partition that is created meanwhile
holds newer rows than all others, and only partitions of old months are archived."""


@resets_process_state
def forget_known_partitions() -> None:
    global _known_until, _seen
    _known.clear()
    _known_until, _seen = 0.0, (0.0, [])


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """The range of ids [low, high) of a month or a year in UTC.

    `rows` is PostgreSQL's estimate of its number of items, -1 if it has none yet.
    """

    low: int
    high: int
    rows: float = field(default=-1, compare=False)

    def __contains__(self, pk: object) -> bool:
        return isinstance(pk, int) and self.low <= pk < self.high

    @property
    def name(self) -> str:
        """`2026_11`, or `2019` of a whole year."""
        start = id_time(self.low)
        is_year = id_time(self.high) - start > timedelta(days=31)
        return f"{start:%Y}" if is_year else f"{start:%Y_%m}"

    def overlaps(self, other: "Span") -> bool:
        return self.low < other.high and other.low < self.high

    def table(self, parent: str) -> str:
        return f"{parent}_{self.name}"


def month_of(moment: datetime) -> Span:
    start = moment.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return Span(lowest_id(start), lowest_id((start + timedelta(days=31)).replace(day=1)))


def year_of(moment: datetime) -> Span:
    start = datetime(moment.astimezone(UTC).year, 1, 1, tzinfo=UTC)
    return Span(lowest_id(start), lowest_id(start.replace(year=start.year + 1)))


def span_for(pk: int, existing: Iterable[Span], now: datetime) -> Span:
    """Return the existing partition that contains the id `pk`, or the one to create for it."""
    partitions = list(existing)
    for span in partitions:
        if pk in span:
            return span
    moment = id_time(pk)
    year = year_of(moment)
    is_long_past = moment.year < now.year - YEARS_BY_MONTH
    if is_long_past and not any(year.overlaps(other) for other in partitions):
        return year
    return month_of(moment)


def spans() -> list[Span]:
    """Return the existing partitions of items, oldest first; an empty list on SQLite."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        return _spans_of(cursor, "feeds_item")


def known_spans(cursor: Any) -> list[Span]:
    """Return the partitions of items as they were at most FRESH seconds ago, for readers."""
    global _seen
    if time.monotonic() > _seen[0]:
        _seen = (time.monotonic() + FRESH, _spans_of(cursor, "feeds_item"))
    return _seen[1]


def _spans_of(cursor: Any, table: str) -> list[Span]:
    cursor.execute(
        "SELECT pg_get_expr(c.relpartbound, c.oid), c.reltuples FROM pg_inherits h"
        " JOIN pg_class c ON c.oid = h.inhrelid WHERE h.inhparent = to_regclass(%s)",
        [table],
    )
    bounds = [(_BOUNDS.search(bound), rows) for bound, rows in cursor.fetchall()]
    return sorted(Span(int(match[1]), int(match[2]), rows) for match, rows in bounds if match)


def ensure_partitions(ids: Iterable[int]) -> list[Span]:
    """Create the partitions that rows with these ids need, and return those created.

    Runs no query if all of them are known to exist. Several processes may call it at once.
    """
    if connection.vendor != "postgresql":
        return []
    global _known_until
    if time.monotonic() > _known_until:
        _known.clear()
        _known_until = time.monotonic() + FRESH
    unknown = [pk for pk in ids if not any(pk in span for span in _known)]
    return _ensure(unknown) if unknown else []


def ensure_months_ahead(now: datetime | None = None) -> list[Span]:
    """Create the partitions of this month and of the next MONTHS_AHEAD months, in advance.

    Also creates those of rows that lie in a DEFAULT partition, to which they are moved, and those
    that only some of the tables have. Returns the partitions created.
    """
    if connection.vendor != "postgresql":
        return []
    now = now or db_clock.now()
    months = [lowest_id(now)]
    for _ in range(MONTHS_AHEAD):
        months.append(month_of(id_time(months[-1])).high)
    with transaction.atomic(), connection.cursor() as cursor:
        for table in KEYS:
            _ensure_default(cursor, table)
            cursor.execute(f"SELECT {KEYS[table]} FROM {table}_default")  # noqa: S608 - our own
            months += [pk for (pk,) in cursor.fetchall()]
    # The cached list of partitions is not used: another process may have archived a month.
    return _ensure([*months, *(span.low for span in missing_partitions())])


def missing_partitions() -> list[Span]:
    """Return the ranges for which some of the tables have a partition and others have none."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        existing = [span for table in KEYS for span in _spans_of(cursor, table)]
    return sorted(span for span, tables in Counter(existing).items() if tables < len(KEYS))


def _ensure(ids: Iterable[int]) -> list[Span]:
    now = db_clock.now()
    existing, incomplete = spans(), missing_partitions()
    wanted = sorted({span_for(pk, sorted({*existing, *incomplete}), now) for pk in ids})
    missing = [span for span in wanted if span not in existing or span in incomplete]
    for attempt in range(_TRIES):
        try:
            if missing:
                make_partitions(missing)
            break
        except OperationalError:  # another session holds a lock; queueing would block its queries
            if attempt == _TRIES - 1 or connection.in_atomic_block:
                raise
            time.sleep(0.2 * 2**attempt)
    transaction.on_commit(lambda: _known.update(wanted))
    return missing


def make_partitions(wanted: Iterable[Span], tables: Iterable[str] = tuple(KEYS)) -> None:
    """Create those of the `wanted` partitions that are missing, for each of `tables`.

    A table is created first and then attached. Unlike CREATE TABLE ... PARTITION OF, this takes
    no lock that blocks readers or writers of the other partitions.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        lock(cursor)
        for table in tables:
            existing = _spans_of(cursor, table)
            _ensure_default(cursor, table)
            for span in wanted:
                if not any(span.overlaps(other) for other in existing):
                    _make(cursor, table, span)
                    bring_states_back(cursor)


def lock(cursor: Any) -> None:
    """Let no other process change partitions until the end of this transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _ensure_default(cursor: Any, table: str) -> None:
    if not has_table(cursor, f"{table}_default"):
        cursor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _make(cursor: Any, table: str, span: Span) -> None:
    """Create and attach one partition. If a detached table of its name exists, that is attached."""
    name, key = span.table(table), KEYS[table]
    within = f"{key} >= {span.low} AND {key} < {span.high}"
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"
    )
    if has_rows(cursor, f"{table}_default", within):
        _take_out_of_default(cursor, table, name, within)
    _ensure_key(cursor, name, key)
    attach(cursor, table, span)
    if not _has_default(cursor, table):
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")


def _ensure_key(cursor: Any, name: str, key: str) -> None:
    """Give a partition a primary key of its own, which attaching adopts.

    If a partition of the table is on another server, the table has no key that it could pass on.
    """
    cursor.execute("SELECT 1 FROM pg_index WHERE indrelid = %s::regclass AND indisprimary", [name])
    if cursor.fetchone() is None:
        cursor.execute(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})")


def _take_out_of_default(cursor: Any, table: str, name: str, within: str) -> None:
    """Move the rows of a range from the DEFAULT partition to the table `name`.

    PostgreSQL attaches no partition while DEFAULT holds rows of its range, and detaches none whose
    rows are referenced. States that reference these rows are set aside meanwhile.
    """
    if table == "feeds_item":
        set_states_aside(cursor, f"item_id IN (SELECT id FROM {table}_default)")  # noqa: S608
    cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_default")
    cursor.execute(f"INSERT INTO {name} SELECT * FROM {table}_default WHERE {within}")  # noqa: S608
    cursor.execute(f"DELETE FROM {table}_default WHERE {within}")  # noqa: S608


def set_states_aside(cursor: Any, condition: str) -> None:
    """Move the states that match `condition` to a temporary table.

    PostgreSQL detaches no partition whose rows are referenced. `bring_states_back` must be called
    in the same transaction.
    """
    wanted = f"SELECT * FROM feeds_itemstate WHERE {condition}"  # noqa: S608 - our own
    cursor.execute(f"CREATE TEMPORARY TABLE states_aside ON COMMIT DROP AS {wanted}")
    cursor.execute("DELETE FROM feeds_itemstate WHERE id IN (SELECT id FROM states_aside)")


def bring_states_back(cursor: Any) -> None:
    """Move the states that `set_states_aside` removed back, if there are any."""
    cursor.execute("SELECT to_regclass('pg_temp.states_aside')")
    if cursor.fetchone()[0]:
        cursor.execute("INSERT INTO feeds_itemstate SELECT * FROM states_aside")
        cursor.execute("DROP TABLE states_aside")


def keep_only(cursor: Any, span: Span, condition: str) -> None:
    """Delete all rows of a range but those that match `condition`.

    `condition` is SQL in which {key} stands for the id of a row. The partitions are replaced by new
    ones, or dropped if no row matches. Readers of these partitions wait until the commit.
    """
    cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
    set_states_aside(cursor, f"item_id >= {span.low} AND item_id < {span.high}")
    items = span.table("feeds_item")
    is_needed = has_rows(cursor, items, condition.format(key=f"{items}.id"))
    for table, key in KEYS.items():
        name = span.table(table)
        cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {name}")
        if is_needed:
            cursor.execute(f"ALTER TABLE {name} RENAME TO {name}_old")
            cursor.execute(
                f"CREATE TABLE {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"
            )
            where = condition.format(key=f"{name}_old.{key}")
            cursor.execute(f"INSERT INTO {name} SELECT * FROM {name}_old WHERE {where}")  # noqa: S608
            name = f"{name}_old"
        cursor.execute(f"DROP TABLE {name}")
        if is_needed:
            _ensure_key(cursor, span.table(table), key)
            attach(cursor, table, span)
    bring_states_back(cursor)
    _known.discard(span)


def _has_default(cursor: Any, table: str) -> bool:
    cursor.execute(
        "SELECT relispartition FROM pg_class WHERE oid = %s::regclass", [f"{table}_default"]
    )
    return bool(cursor.fetchone()[0])


def attach(cursor: Any, table: str, span: Span, name: str = "") -> None:
    """Attach the table `name`, by default the one named after the span, as a partition."""
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name or span.table(table)}"
        f" FOR VALUES FROM ({span.low}) TO ({span.high})"
    )


def has_rows(cursor: Any, table: str, condition: str = "TRUE") -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {condition})")  # noqa: S608
    return bool(cursor.fetchone()[0])


def rows_in_default() -> int:
    """Return the number of items that have a row in a DEFAULT partition; normally 0."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        defaults = [table for table in KEYS if has_table(cursor, f"{table}_default")]
        parts = [f"SELECT {KEYS[table]} AS id FROM {table}_default" for table in defaults]  # noqa: S608
        if not parts:
            return 0
        cursor.execute(f"SELECT count(*) FROM ({' UNION '.join(parts)}) found")  # noqa: S608
        return int(cursor.fetchone()[0])


def has_table(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s)", [name])
    return cursor.fetchone()[0] is not None
