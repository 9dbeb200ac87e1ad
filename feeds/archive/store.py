# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Move months of long ago into files: written and read back first, then taken out.

The step from writing to taking out is a row in the database, so that a kill at any moment
leaves a month either whole in the database or whole in a file whose taking out goes on.
What a reader saved stays, and so does what changed after it was written.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from django.db import OperationalError, connection, models, transaction

from accounts.models import User
from feeds import clock, partitions
from feeds.archive.files import ArchiveError, Line, Manifest, read_lines, read_manifest, write_part
from feeds.ids import id_time, lowest_id
from feeds.lease import Held, lasts, lease
from feeds.models import ArchivePart, Item, ItemBody, ItemKey, ItemState, Source, Story
from feeds.revisions import CONTENT, GROUPING, revise
from feeds.stories.refresh import refresh_stories

CHUNK = 500
PAGES = 2_000
"""Of SQLite's file that are given back in one step, while others wait."""
MOST_PARTS = 1_000
TRIES = 5
LONGEST_STORE = timedelta(minutes=15)
"""What changed so shortly before a part was written may not have been seen by it: it stays."""
RENEWALS = 7.5
"""How often the lease is renewed in the time it lasts."""
T = TypeVar("T")
Say = Callable[[str], None]


def archive_months(
    folder: Path, older_than: datetime, say: Say, *, again: bool = False
) -> list[ArchivePart]:
    """Archive the months that ended before that time, `again` also what was brought back; the
    new parts. Raises ArchiveError, also while another process archives."""
    with lease("archive") as held:
        if held is None:
            raise ArchiveError("Another process archives just now. Nothing was done.")
        return _archive_months(folder, months_before(older_than, again=again), say, held)


def _archive_months(
    folder: Path, months: Iterable[tuple[int, int]], say: Say, held: Held
) -> list[ArchivePart]:
    for begun in ArchivePart.objects.filter(state=ArchivePart.State.REMOVING):
        say(f"{begun.name}: going on with taking it out")
        take_out(folder, begun)
    made = []
    for low, high in months:
        _renew(held)
        if (part := _archive(folder, low, high, held)) is not None:
            made.append(part)
            say(f"{part.name}: {part.items:,} items in {part.size / 2**20:.1f} MB")
    if made and connection.vendor == "sqlite":
        give_back(say)
    return made


def _renew(held: Held) -> None:
    if not held.renew():
        raise ArchiveError("Another process took over. Nothing is lost; run it again.")


def _renewing(lines: Iterable[Line], held: Held) -> Iterator[Line]:
    """A large month takes longer than a lease lasts."""
    renewed = time.monotonic()
    for line in lines:
        if time.monotonic() - renewed > lasts().total_seconds() / RENEWALS:
            _renew(held)
            renewed = time.monotonic()
        yield line


def months_before(moment: datetime, *, again: bool = False) -> list[tuple[int, int]]:
    """The ranges of ids that end before then and have items, oldest first. Where there are
    partitions each is one."""
    restored = ArchivePart.objects.filter(state=ArchivePart.State.RESTORED)
    stay = set() if again else set(restored.values_list("low", flat=True))
    if connection.vendor == "postgresql":
        found = [(span.low, span.high) for span in partitions.spans()]
    else:
        found = list(_months_with_items(lowest_id(moment)))
    return [(low, high) for low, high in found if high <= lowest_id(moment) and low not in stay]


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
    made_at = clock.ask()
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
    take_out(folder, part)
    return part


def _wanted(low: int, high: int) -> Any:
    saved = ItemState.objects.filter(is_saved=True, item_id=models.OuterRef("pk"))
    return Item.objects.filter(~models.Exists(saved), id__gte=low, id__lt=high)


def _free_names(low: int, high: int) -> list[str]:
    is_year = id_time(high) - id_time(low) > timedelta(days=31)
    month = f"{id_time(low):%Y}" if is_year else f"{id_time(low):%Y-%m}"
    taken = set(ArchivePart.objects.filter(low=low).values_list("name", flat=True))
    names = (month, *(f"{month}-{n}" for n in range(2, MOST_PARTS)))
    return [name for name in names if name not in taken]


def _lines(low: int, high: int) -> Iterator[Line]:
    """Each story before the first of its items."""
    told: set[int] = set()
    after = low - 1
    while rows := list(_wanted(after + 1, high).order_by("id").values()[:CHUNK]):
        after = rows[-1]["id"]
        ids = [row["id"] for row in rows]
        stories = {row["story_id"] for row in rows} - told - {None}
        told |= stories
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
            f" Nothing was removed; is the disk of {folder} sound?"
        )


def take_out(folder: Path, part: ArchivePart) -> None:
    """Remove from the database what is in the file; may be repeated."""
    manifest = read_manifest(folder, part.name)
    if manifest.sha256 != part.sha256:
        raise ArchiveError(f"{folder} has another archive {part.name} than the one written.")
    if connection.vendor == "postgresql":
        _try_to_drop(folder, part)
    else:
        _delete_in_steps(folder, part)
    _drop_empty_stories(folder, part)
    _tell_that_it_is_out(part)


@transaction.atomic
def _tell_that_it_is_out(part: ArchivePart) -> None:
    """What had been brought back and is archived again is told of once: as the new part. The
    older file stays, and can be restored by its name."""
    again = ArchivePart.objects.filter(low__gte=part.low, high__lte=part.high)
    again.filter(state=ArchivePart.State.RESTORED).exclude(pk=part.pk).delete()
    ArchivePart.objects.filter(pk=part.pk).update(state=ArchivePart.State.ARCHIVED)


def batched(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """As Python 3.12 has it."""
    rest = iter(values)
    while batch := list(islice(rest, size)):
        yield batch


def _items_of(folder: Path, part: ArchivePart) -> Iterator[dict[str, Any]]:
    return (line["item"] for line in read_lines(folder, part.name) if "item" in line)


_STAYS = (
    "SELECT id FROM feeds_item WHERE id IN ({ids}) AND updated_at > %s"
    " UNION SELECT item_id FROM feeds_itemstate WHERE item_id IN ({ids}) AND is_saved"
)


def _delete_in_steps(folder: Path, part: ArchivePart) -> None:
    made_at = connection.ops.adapt_datetimefield_value(part.made_at - LONGEST_STORE)
    for items in batched(_items_of(folder, part), CHUNK):
        with transaction.atomic(), connection.cursor() as cursor:
            ids = [item["id"] for item in items]
            marks = ", ".join(["%s"] * len(ids))
            cursor.execute(_STAYS.format(ids=marks), [*ids, made_at, *ids])
            stays = {row[0] for row in cursor.fetchall()}
            gone = [item for item in items if item["id"] not in stays]
            seqs, ids = [item["seq"] for item in gone], [item["id"] for item in gone]
            if not gone:
                continue
            marks = ", ".join(["%s"] * len(ids))
            cursor.execute(f"DELETE FROM feeds_itemstate WHERE item_id IN ({marks})", ids)
            cursor.execute(f"DELETE FROM feeds_itembody WHERE item_id IN ({marks})", ids)
            cursor.execute(f"DELETE FROM feeds_item WHERE id IN ({marks})", ids)
            cursor.execute(f"UPDATE feeds_itemkey SET item_id = NULL WHERE seq IN ({marks})", seqs)


def _try_to_drop(folder: Path, part: ArchivePart) -> None:
    for attempt in range(TRIES):
        try:
            return _drop_partition(folder, part)
        except OperationalError:  # somebody reads for long: the others shall not wait for us
            if attempt == TRIES - 1:
                raise
            time.sleep(0.2 * 2**attempt)


def _drop_partition(folder: Path, part: ArchivePart) -> None:
    span = next((one for one in partitions.spans() if one.low == part.low), None)
    if span is None:  # a kill came after it was dropped
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
        told = set(Item.objects.filter(story__in=ids).values_list("story", flat=True).distinct())
        Story.objects.filter(pk__in=set(ids) - told).delete()
        refresh_stories(told)
    revise(CONTENT, GROUPING)


def give_back(say: Say) -> None:
    """Return what SQLite's file holds of empty pages, in steps."""
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA auto_vacuum")
        is_stepwise = cursor.fetchone()[0] == 2
        if not is_stepwise:
            say("The file is remade once, so that later it can shrink in steps.")
            cursor.execute("PRAGMA auto_vacuum = INCREMENTAL")
            cursor.execute("VACUUM")
            return
        while _free_pages(cursor):
            # The rows must be read, or SQLite stops at the first page.
            cursor.execute(f"PRAGMA incremental_vacuum({PAGES})").fetchall()
        cursor.execute("PRAGMA wal_checkpoint(PASSIVE)")


def _free_pages(cursor: Any) -> int:
    cursor.execute("PRAGMA freelist_count")
    return int(cursor.fetchone()[0])
