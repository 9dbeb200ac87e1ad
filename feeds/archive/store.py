# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Archive old months: write their items to a file, verify the file, then delete the items.

An ArchivePart row is created between verifying and deleting. If the process is killed before, the
month is whole in the database; if it is killed afterwards, the next run goes on deleting. Items
that a reader saved stay in the database, and so do items that changed after the file was written.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.db import OperationalError, connection, models, transaction

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.stopping import is_stopping, leave_rest
from feeds.archive.files import ArchiveError, Line, Manifest, read_lines, read_manifest, write_part
from feeds.coordination.lease import Held, duration, lease
from feeds.coordination.revisions import CONTENT, GROUPING, bump_revision
from feeds.core import partitions
from feeds.core.ids import id_time, lowest_id
from feeds.models import ArchivePart, Item, ItemBody, ItemKey, ItemState, Source, Story
from feeds.stories.grouping.refresh import refresh_stories

CHUNK = 500
PAGES = 2_000
"""Pages of SQLite's file that are freed in one step, during which other writers wait."""
MOST_PARTS = 1_000
TRIES = 5
LONGEST_STORE = timedelta(minutes=15)
"""An item that changed this shortly before the file was written stays: its storing transaction may
have committed after the file was read."""
RENEWALS = 7.5
"""Number of renewals while a lease lasts."""
T = TypeVar("T")
Report = Callable[[str], None]


def archive_months(
    folder: Path, older_than: datetime, report: Report, *, again: bool = False
) -> list[ArchivePart]:
    """Archive the months that ended before `older_than` and return the parts created.

    Months that were restored stay in the database unless `again` is true. `report` receives a line
    for each part. Raises ArchiveError, also while another process is archiving.
    """
    with lease("archive") as held:
        if held is None:
            raise ArchiveError("Another process is archiving. Nothing was done.")
        return _archive_months(folder, months_before(older_than, again=again), report, held)


def _archive_months(
    folder: Path, months: Iterable[tuple[int, int]], report: Report, held: Held
) -> list[ArchivePart]:
    for unfinished in ArchivePart.objects.filter(state=ArchivePart.State.REMOVING):
        report(f"{unfinished.name}: deleting its items from the database")
        delete_items_of(folder, unfinished)
    parts = []
    for low, high in months:
        if is_stopping():
            leave_rest()
            break
        _renew(held)
        if (part := _archive(folder, low, high, held)) is not None:
            parts.append(part)
            report(f"{part.name}: {part.items:,} items in {part.size / 2**20:.1f} MB")
    if parts and connection.vendor == "sqlite":
        free_pages(report)
    return parts


def _renew(held: Held) -> None:
    if not held.renew():
        raise ArchiveError("Another process took over. Nothing is lost; run the command again.")


def _renewing(lines: Iterable[Line], held: Held) -> Iterator[Line]:
    """Yield `lines` and renew the lease meanwhile, as writing a month may take longer than it."""
    renewed = time.monotonic()
    for line in lines:
        if time.monotonic() - renewed > duration().total_seconds() / RENEWALS:
            _renew(held)
            renewed = time.monotonic()
        yield line


def months_before(moment: datetime, *, again: bool = False) -> list[tuple[int, int]]:
    """Return the ranges of ids that end before `moment` and have items, oldest first.

    A range is a partition on PostgreSQL, a month on SQLite.
    """
    restored = ArchivePart.objects.filter(state=ArchivePart.State.RESTORED)
    restored_lows = set() if again else set(restored.values_list("low", flat=True))
    if connection.vendor == "postgresql":
        ranges = [(span.low, span.high) for span in partitions.spans()]
    else:
        ranges = list(_months_with_items(lowest_id(moment)))
    return [
        (low, high)
        for low, high in ranges
        if high <= lowest_id(moment) and low not in restored_lows
    ]


def _months_with_items(end: int) -> Iterator[tuple[int, int]]:
    after = 0
    while after < end:
        first = (
            Item.objects.filter(id__gte=after).order_by("id").values_list("id", flat=True).first()
        )
        if first is None:
            return
        span = partitions.month_of(id_time(first))
        yield span.low, span.high
        after = span.high


def _archive(folder: Path, low: int, high: int, held: Held) -> ArchivePart | None:
    if not _wanted(low, high).exists():
        return None
    made_at = db_clock.exact_now()
    names = _free_names(low, high)
    manifest = Manifest(names[0], low, high, made_at.isoformat())
    manifest.sources = {str(pk): url for pk, url in Source.objects.values_list("pk", "url")}
    manifest.readers = {str(pk): name for pk, name in User.objects.values_list("pk", "username")}
    write_part(folder, manifest, _renewing(_lines(low, high), held), names)
    _read_back(folder, manifest)
    _renew(held)
    part = ArchivePart.objects.create(
        name=manifest.name,
        low=low,
        high=high,
        items=manifest.items,
        size=manifest.size,
        sha256=manifest.sha256,
        made_at=made_at,
    )
    delete_items_of(folder, part)
    return part


def _wanted(low: int, high: int) -> Any:
    saved = ItemState.objects.filter(is_saved=True, item_id=models.OuterRef("pk"))
    return Item.objects.filter(~models.Exists(saved), id__gte=low, id__lt=high)


def _free_names(low: int, high: int) -> list[str]:
    is_year = id_time(high) - id_time(low) > timedelta(days=31)
    month = f"{id_time(low):%Y}" if is_year else f"{id_time(low):%Y-%m}"
    used = set(ArchivePart.objects.filter(low=low).values_list("name", flat=True))
    names = (month, *(f"{month}-{n}" for n in range(2, MOST_PARTS)))
    return [name for name in names if name not in used]


def _lines(low: int, high: int) -> Iterator[Line]:
    """Yield the lines of a part: each story precedes the first of its items."""
    written: set[int] = set()
    after = low - 1
    while rows := list(_wanted(after + 1, high).order_by("id").values()[:CHUNK]):
        after = rows[-1]["id"]
        ids = [row["id"] for row in rows]
        stories = {row["story_id"] for row in rows} - written - {None}
        written |= stories
        for story in Story.objects.filter(pk__in=stories).values():
            yield {"story": story}
        bodies = {row["item_id"]: row for row in ItemBody.objects.filter(pk__in=ids).values()}
        keys = {
            row["seq"]: row
            for row in ItemKey.objects.filter(pk__in=[r["seq"] for r in rows]).values()
        }
        states: dict[int, list[Any]] = {}
        for state in ItemState.objects.filter(item_id__in=ids).values():
            states.setdefault(state["item_id"], []).append(state)
        for row in rows:
            yield {
                "item": row,
                "body": bodies.get(row["id"]),
                "key": keys.get(row["seq"]),
                "states": states.get(row["id"], []),
            }


def _read_back(folder: Path, manifest: Manifest) -> None:
    read_manifest(folder, manifest.name)
    count = sum("item" in line for line in read_lines(folder, manifest.name))
    if count != manifest.items:
        raise ArchiveError(
            f"The archive {manifest.name} has {count} items of {manifest.items} when read back."
            f" Nothing was removed; check the disk of {folder}."
        )


def delete_items_of(folder: Path, part: ArchivePart) -> None:
    """Delete the items of `part` from the database. It can be repeated after a failure."""
    manifest = read_manifest(folder, part.name)
    if manifest.sha256 != part.sha256:
        raise ArchiveError(f"{folder} has a different archive {part.name} than the one written.")
    if connection.vendor == "postgresql":
        _try_to_drop(folder, part)
    else:
        _delete_in_steps(folder, part)
    _drop_empty_stories(folder, part)
    _mark_archived(part)


@transaction.atomic
def _mark_archived(part: ArchivePart) -> None:
    """Mark `part` as archived, and delete the rows of parts that it replaces.

    A month that was restored and is archived again is listed once, as its new part. The older file
    stays and can still be restored by its name.
    """
    again = ArchivePart.objects.filter(low__gte=part.low, high__lte=part.high)
    again.filter(state=ArchivePart.State.RESTORED).exclude(pk=part.pk).delete()
    ArchivePart.objects.filter(pk=part.pk).update(state=ArchivePart.State.ARCHIVED)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield lists of at most `size` values, like itertools.batched of Python 3.12."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def _items_of(folder: Path, part: ArchivePart) -> Iterator[dict[str, Any]]:
    return (line["item"] for line in read_lines(folder, part.name) if "item" in line)


_STAYING_ITEMS = (
    "SELECT id FROM feeds_item WHERE id IN ({ids}) AND updated_at > %s"
    " UNION SELECT item_id FROM feeds_itemstate WHERE item_id IN ({ids}) AND is_saved"
)


def _delete_in_steps(folder: Path, part: ArchivePart) -> None:
    made_at = connection.ops.adapt_datetimefield_value(part.made_at - LONGEST_STORE)
    for items in batched(_items_of(folder, part), CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            ids = [item["id"] for item in items]
            placeholders = ", ".join(["%s"] * len(ids))
            cursor.execute(_STAYING_ITEMS.format(ids=placeholders), [*ids, made_at, *ids])
            staying = {row[0] for row in cursor.fetchall()}
            archived = [item for item in items if item["id"] not in staying]
            seqs, ids = [item["seq"] for item in archived], [item["id"] for item in archived]
            if not archived:
                continue
            placeholders = ", ".join(["%s"] * len(ids))
            cursor.execute(f"DELETE FROM feeds_itemstate WHERE item_id IN ({placeholders})", ids)
            cursor.execute(f"DELETE FROM feeds_itembody WHERE item_id IN ({placeholders})", ids)
            cursor.execute(f"DELETE FROM feeds_item WHERE id IN ({placeholders})", ids)
            cursor.execute(
                f"UPDATE feeds_itemkey SET item_id = NULL WHERE seq IN ({placeholders})", seqs
            )


def _try_to_drop(folder: Path, part: ArchivePart) -> None:
    for attempt in range(TRIES):
        try:
            return _drop_partition(folder, part)
        except OperationalError:  # a long query holds a lock; queueing would block other queries
            if attempt == TRIES - 1:
                raise
            time.sleep(0.2 * 2**attempt)


def _drop_partition(folder: Path, part: ArchivePart) -> None:
    span = next((span for span in partitions.spans() if span.low == part.low), None)
    if span is None:  # the process was killed after it had dropped the partition
        return
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE archived (id bigint PRIMARY KEY) ON COMMIT DROP")
        with cursor.copy("COPY archived FROM STDIN") as copy:
            for items in batched(_items_of(folder, part), CHUNK):
                copy.write("".join([f"{item['id']}\n" for item in items]))
        cursor.execute("ANALYZE archived")
        partitions.lock(cursor)
        table = span.table("feeds_item")
        cursor.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
        cursor.execute(
            f"DELETE FROM archived a USING {table} i WHERE i.id = a.id AND (i.updated_at > %s"
            " OR EXISTS (SELECT FROM feeds_itemstate s WHERE s.item_id = i.id AND s.is_saved))",
            [part.made_at - LONGEST_STORE],
        )
        cursor.execute("DELETE FROM feeds_itemstate s USING archived a WHERE s.item_id = a.id")
        cursor.execute(
            f"UPDATE feeds_itemkey k SET item_id = NULL FROM {table} i JOIN archived a"
            " ON a.id = i.id WHERE k.seq = i.seq"
        )
        partitions.keep_only(cursor, span, "NOT EXISTS (SELECT FROM archived a WHERE a.id = {key})")


def _drop_empty_stories(folder: Path, part: ArchivePart) -> None:
    stories = (line["story"]["id"] for line in read_lines(folder, part.name) if "story" in line)
    for ids in batched(stories, CHUNK):
        remaining = set(
            Item.objects.filter(story__in=ids).values_list("story", flat=True).distinct()
        )
        Story.objects.filter(pk__in=set(ids) - remaining).delete()
        refresh_stories(remaining)
    bump_revision(CONTENT, GROUPING)


def free_pages(report: Report) -> None:
    """Free the empty pages of SQLite's file in small steps."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum")
        is_stepwise = cursor.fetchone()[0] == 2
        if not is_stepwise:
            report("Rebuilding the database file once, so that it can shrink in steps later.")
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cursor.execute("VACUUM")
            return
        while _free_pages(cursor):
            # SQLite frees one page per row that is fetched.
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _free_pages(cursor: Any) -> int:
    cursor.execute("PRAGMA freelist_count")
    return int(cursor.fetchone()[0])
