"""Partitions of the large tables by time, on PostgreSQL; SQLite has plain tables and none.

Items, their bodies and their search vectors lie in partitions by ranges of the time-ordered
id: a month each, a year for what is long past. They are made before their rows come. What a
DEFAULT partition holds came unforeseen; it is moved when its partition is made.
"""

import re
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction

from feeds import clock
from feeds.ids import id_time, lowest_id

KEYS = {"feeds_item": "id", "feeds_itembody": "item_id", "feeds_search": "item_id"}
"""The partitioned tables and the columns by which they are."""
YEARS_BY_MONTH = 2
"""How many years before this one have a partition each month."""
MONTHS_AHEAD = 3
_LOCK = 0x5E02  # any number, the same in all processes
_PATIENCE = "2s"
_TRIES = 5
_BOUNDS = re.compile(r"FROM \('(\d+)'\) TO \('(\d+)'\)")
_known: set["Span"] = set()
_known_until = 0.0
_seen: tuple[float, list["Span"]] = (0.0, [])
FRESH = 60.0
"""Seconds that readers trust what partitions they saw, as later ones lie above them, and writers
what they made, as only months of long ago are archived meanwhile."""


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A range of ids, [low, high), from the start of a month or year in UTC.

    `rows` is how many items it had when PostgreSQL last looked, -1 when it never did.
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
    """Where the row of this id belongs: the partition that has its time, else a new one."""
    taken = list(existing)
    for span in taken:
        if pk in span:
            return span
    moment = id_time(pk)
    year = year_of(moment)
    is_long_past = moment.year < now.year - YEARS_BY_MONTH
    if is_long_past and not any(year.overlaps(other) for other in taken):
        return year
    return month_of(moment)


def spans() -> list[Span]:
    """The partitions of items that there are, oldest first; none where there are none."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        return _spans_of(cursor, "feeds_item")


def known_spans(cursor: Any) -> list[Span]:
    """The same for who reads: as they were at most a minute ago."""
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
    return sorted(Span(int(found[1]), int(found[2]), rows) for found, rows in bounds if found)


def ensure_partitions(ids: Iterable[int]) -> list[Span]:
    """Make the partitions in which rows of these ids belong; those that were made.

    Costs nothing where all are known to be there. Several processes may do it at once.
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
    """This month's partition and the next ones, made while nobody waits for them, and those
    of what lies in a DEFAULT, which is moved there, or has partitions of some tables only."""
    if connection.vendor != "postgresql":
        return []
    now = now or clock.now()
    months = [lowest_id(now)]
    for _ in range(MONTHS_AHEAD):
        months.append(month_of(id_time(months[-1])).high)
    with transaction.atomic(), connection.cursor() as cursor:
        for table in KEYS:
            _ensure_default(cursor, table)
            cursor.execute(f"SELECT {KEYS[table]} FROM {table}_default")  # noqa: S608 - our own
            months += [pk for (pk,) in cursor.fetchall()]
    # Not by what was known: another process may have archived a month since.
    return _ensure([*months, *(span.low for span in gaps())])


def gaps() -> list[Span]:
    """Ranges of which some of the tables have a partition and others have none."""
    if connection.vendor != "postgresql":
        return []
    with connection.cursor() as cursor:
        there = [span for table in KEYS for span in _spans_of(cursor, table)]
    return sorted(span for span, tables in Counter(there).items() if tables < len(KEYS))


def _ensure(ids: Iterable[int]) -> list[Span]:
    now = clock.now()
    there, lacking = spans(), gaps()
    wanted = sorted({span_for(pk, sorted({*there, *lacking}), now) for pk in ids})
    missing = [span for span in wanted if span not in there or span in lacking]
    for attempt in range(_TRIES):
        try:
            if missing:
                make_partitions(missing)
            break
        except OperationalError:  # somebody holds a table: they shall not wait for us
            if attempt == _TRIES - 1 or connection.in_atomic_block:
                raise
            time.sleep(0.2 * 2**attempt)
    transaction.on_commit(lambda: _known.update(wanted))
    return missing


def make_partitions(wanted: Iterable[Span], tables: Iterable[str] = tuple(KEYS)) -> None:
    """Make these partitions of all tables, as far as they are missing.

    A table is made and then attached: that takes no lock that keeps readers or writers of
    the other partitions waiting, as CREATE ... PARTITION OF would.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = '{_PATIENCE}'")
        lock(cursor)
        for table in tables:
            there = _spans_of(cursor, table)
            _ensure_default(cursor, table)
            for span in wanted:
                if not any(span.overlaps(other) for other in there):
                    _make(cursor, table, span)
                    bring_states_back(cursor)


def lock(cursor: Any) -> None:
    """One process at a time changes partitions; until the end of the transaction."""
    cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])


def _ensure_default(cursor: Any, table: str) -> None:
    if not has_table(cursor, f"{table}_default"):
        cursor.execute(f"CREATE TABLE {table}_default PARTITION OF {table} DEFAULT")


def _make(cursor: Any, table: str, span: Span) -> None:
    """One that somebody has detached comes back with what it holds."""
    name, key = span.table(table), KEYS[table]
    within = f"{key} >= {span.low} AND {key} < {span.high}"
    cursor.execute(
        f"CREATE TABLE IF NOT EXISTS {name} (LIKE {table} INCLUDING DEFAULTS INCLUDING STORAGE)"
    )
    if has_rows(cursor, f"{table}_default", within):
        _take_out_of_default(cursor, table, name, within)
    attach(cursor, table, span)
    if not _has_default(cursor, table):
        cursor.execute(f"ALTER TABLE {table} ATTACH PARTITION {table}_default DEFAULT")


def _take_out_of_default(cursor: Any, table: str, name: str, within: str) -> None:
    """DEFAULT may hold no row of a range that is attached, and may not be detached while
    states refer to its rows: those step aside for the moment."""
    if table == "feeds_item":
        set_states_aside(cursor, f"item_id IN (SELECT id FROM {table}_default)")  # noqa: S608
    cursor.execute(f"ALTER TABLE {table} DETACH PARTITION {table}_default")
    cursor.execute(f"INSERT INTO {name} SELECT * FROM {table}_default WHERE {within}")  # noqa: S608
    cursor.execute(f"DELETE FROM {table}_default WHERE {within}")  # noqa: S608


def set_states_aside(cursor: Any, condition: str) -> None:
    """Until `bring_states_back`, in the same transaction: a partition whose rows are referred
    to cannot be detached."""
    wanted = f"SELECT * FROM feeds_itemstate WHERE {condition}"  # noqa: S608 - our own
    cursor.execute(f"CREATE TEMPORARY TABLE states_aside ON COMMIT DROP AS {wanted}")
    cursor.execute("DELETE FROM feeds_itemstate WHERE id IN (SELECT id FROM states_aside)")


def bring_states_back(cursor: Any) -> None:
    cursor.execute("SELECT to_regclass('pg_temp.states_aside')")
    if cursor.fetchone()[0]:
        cursor.execute("INSERT INTO feeds_itemstate SELECT * FROM states_aside")
        cursor.execute("DROP TABLE states_aside")


def keep_only(cursor: Any, span: Span, condition: str) -> None:
    """Leave in the partitions of a range the rows for which `condition` holds, in which {key}
    is their id, and drop the partitions when there is none. Readers wait for a moment."""
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
            attach(cursor, table, span)
    bring_states_back(cursor)
    _known.discard(span)


def _has_default(cursor: Any, table: str) -> bool:
    cursor.execute(
        "SELECT relispartition FROM pg_class WHERE oid = %s::regclass", [f"{table}_default"]
    )
    return bool(cursor.fetchone()[0])


def attach(cursor: Any, table: str, span: Span, name: str = "") -> None:
    """Make the table of that name (the span's own) a partition."""
    cursor.execute(
        f"ALTER TABLE {table} ATTACH PARTITION {name or span.table(table)}"
        f" FOR VALUES FROM ({span.low}) TO ({span.high})"
    )


def has_rows(cursor: Any, table: str, condition: str = "TRUE") -> bool:
    cursor.execute(f"SELECT EXISTS (SELECT 1 FROM {table} WHERE {condition})")  # noqa: S608
    return bool(cursor.fetchone()[0])


def strays() -> int:
    """Items of which a part lies in a DEFAULT partition, where none should be."""
    if connection.vendor != "postgresql":
        return 0
    with connection.cursor() as cursor:
        there = [table for table in KEYS if has_table(cursor, f"{table}_default")]
        parts = [f"SELECT {KEYS[table]} AS id FROM {table}_default" for table in there]  # noqa: S608
        if not parts:
            return 0
        cursor.execute(f"SELECT count(*) FROM ({' UNION '.join(parts)}) found")  # noqa: S608
        return int(cursor.fetchone()[0])


def has_table(cursor: Any, name: str) -> bool:
    cursor.execute("SELECT to_regclass(%s)", [name])
    return cursor.fetchone()[0] is not None
