"""Store the entries of a feed once each: new ones inserted, known ones updated.

One short transaction a chunk, the same number of queries however many entries it holds.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from logging import getLogger

from django.db import DatabaseError, connection, transaction

from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.core.bulk import adapt_time, insert_rows, to_json
from feeds.core.ids import TAIL_BITS, TAIL_MASK, lowest_id, make_id
from feeds.core.partitions import ensure_partitions
from feeds.html.markup import beyond_text
from feeds.ingest.parse.types import CleanEntry
from feeds.models import Item, ItemBody, ItemKey

logger = getLogger(__name__)

CHUNK = 500
"""Entries a transaction: other writers wait for one, so it stays short."""
UNDATED_STEP = timedelta(hours=1)
ANOTHER_DAY = timedelta(hours=20)
MOST_TOPICS = 8
KEY_COLUMNS = ("seq", "source_id", "key_hash", "alt_hash", "item_id")
CONTENT_COLUMNS = (
    "url",
    "title",
    "author",
    "summary",
    "image_url",
    "topics",
    "content_hash",
)
"""What a new version of an entry changes, in the order of `_Chunk._content`."""
ITEM_COLUMNS = (
    "id",
    "seq",
    "source_id",
    "published_at",
    "fetched_at",
    "language",
    "story_pinned",
    *CONTENT_COLUMNS,
)
BODY_COLUMNS = ("item_id", "html", "text", "enclosures", "is_full_text")
_SEQ_LOCK = 0x5E01  # any number, the same in all processes


@dataclass(frozen=True, slots=True)
class Stored:
    """Ids of the items that are new and of those whose content changed, and whether that
    gave one other topics."""

    new_ids: tuple[int, ...] = ()
    updated_ids: tuple[int, ...] = ()
    has_other_topics: bool = False

    def __add__(self, other: "Stored") -> "Stored":
        return Stored(
            self.new_ids + other.new_ids,
            self.updated_ids + other.updated_ids,
            self.has_other_topics or other.has_other_topics,
        )


@dataclass(slots=True)
class _Known:
    """A row of the ledger with what is needed of its item."""

    seq: int
    key_hash: int
    alt_hash: int
    item_id: int | None
    content_hash: int = 0
    published_at: datetime | None = None


def store_entries(
    source_id: int,
    entries: Sequence[CleanEntry],
    *,
    now: datetime,
    topics: Sequence[str] = (),
    language: str = "",
    is_first: bool = False,
    revises: bool = True,
) -> Stored:
    """Store what one document holds; storing it again changes nothing. Who stores several in
    a transaction `revises` at its end instead: see feeds.coordination.revisions.

    `topics` and `language` are the source's. On the first fetch of a source
    (`is_first`), entries without a date are dated backwards from `now` in the order
    of the feed, so that an archive does not flood the top.
    """
    dated = date_entries(entries, now, is_first=is_first)
    twice = _told_twice(entries)
    # Oldest first: the ledger's order of arrival follows the order of events.
    ordered = sorted(dated, key=lambda entry: entry.published or now)
    _make_room({lowest_id(entry.published or now) for entry in ordered})
    stored = Stored()
    for start in range(0, len(ordered), CHUNK):
        chunk = _Chunk(source_id, ordered[start : start + CHUNK], now, topics, language)
        stored += chunk.store(twice, revises=revises)
    return stored


def _make_room(ids: Iterable[int]) -> None:
    """The partitions of these ids; should they not be made, DEFAULT takes the rows."""
    try:
        ensure_partitions(ids)
    except DatabaseError as error:
        if connection.in_atomic_block:  # it is undone; each source is tried again by itself
            raise
        logger.error("partitions_not_made reason=%s", " ".join(str(error).split()))


def date_entries(
    entries: Sequence[CleanEntry], now: datetime, *, is_first: bool
) -> list[CleanEntry]:
    """Every entry with a date. One without stands just behind the one before it."""
    before, step = now, timedelta(seconds=1)
    if is_first and not any(entry.published for entry in entries):
        step = UNDATED_STEP
    dated = []
    for entry in entries:
        if entry.published is None:
            before = before - step if is_first else now
            dated.append(replace(entry, published=before))
        else:
            before = entry.published
            dated.append(entry)
    return dated


def _told_twice(entries: Iterable[CleanEntry]) -> frozenset[int]:
    """Link-and-title hashes that several entries of the document share: no identity."""
    return frozenset(
        alt for alt, times in Counter(entry.alt_hash for entry in entries).items() if times > 1
    )


class _Chunk:
    """Some entries of one source on their way into the database."""

    def __init__(
        self,
        source_id: int,
        entries: Sequence[CleanEntry],
        now: datetime,
        topics: Sequence[str],
        language: str,
    ) -> None:
        self.source_id, self.entries, self.now = source_id, entries, now
        self.topics, self.language = tuple(topics), language
        self.has_other_topics = False

    @transaction.atomic(savepoint=False)  # FTS5 writes a segment at each savepoint
    def store(self, twice: frozenset[int], *, revises: bool) -> Stored:
        """Look up, then insert and update. A key that is known without an item is a
        tombstone: its item was deleted or archived and does not come back."""
        known = self._find_known(twice)
        new = [entry for entry in self.entries if entry.key_hash not in known]
        changed = [
            (row.item_id, entry)
            for entry in self.entries
            if (row := known.get(entry.key_hash))
            and row.item_id is not None
            and row.content_hash != entry.content_hash
        ]
        self._rename_keys(known)
        stored = Stored(self._insert(new), self._update(changed), self.has_other_topics)
        if revises and stored.updated_ids:
            bump_revision(CONTENT)
        return stored

    def _find_known(self, twice: frozenset[int]) -> dict[int, _Known]:
        """By the entry's key: its row of the ledger, found by key, else by link and title."""
        rows = self._rows(key_hash__in=[entry.key_hash for entry in self.entries])
        found = {row.key_hash: row for row in rows}
        missing = [
            entry
            for entry in self.entries
            if entry.url and entry.key_hash not in found and entry.alt_hash not in twice
        ]
        if missing:
            rows = self._rows(alt_hash__in=[entry.alt_hash for entry in missing])
            renamed = {row.alt_hash: row for row in rows if row.key_hash not in found}
            rows = [*found.values(), *renamed.values()]
            self._add_items(rows)
            # Where most entries have a new guid, guids say nothing: the source makes new
            # ones at each fetch.
            is_unstable = len(renamed) > max(len(found), 2)
            for entry in missing:
                row = renamed.get(entry.alt_hash)
                if row and (is_unstable or _is_same(row, entry)):
                    found[entry.key_hash] = renamed.pop(entry.alt_hash)
        else:
            self._add_items(found.values())
        return found

    def _rows(self, **condition: list[int]) -> list[_Known]:
        rows = ItemKey.objects.filter(source_id=self.source_id, **condition).order_by("seq")
        return [_Known(*row) for row in rows.values_list("seq", "key_hash", "alt_hash", "item_id")]

    def _add_items(self, rows: Iterable[_Known]) -> None:
        by_id = {row.item_id: row for row in rows if row.item_id is not None}
        if not by_id:
            return
        items = Item.objects.filter(pk__in=list(by_id)).order_by()
        for pk, content, published in items.values_list("pk", "content_hash", "published_at"):
            by_id[pk].content_hash, by_id[pk].published_at = content, published

    def _rename_keys(self, known: dict[int, _Known]) -> None:
        """Some sources give an entry a new guid at each fetch: the ledger follows."""
        renamed = {row.seq: key for key, row in known.items() if row.key_hash != key}
        if renamed:
            rows = list(ItemKey.objects.filter(pk__in=list(renamed)))
            for row in rows:
                row.key_hash = renamed[row.seq]
            ItemKey.objects.bulk_update(rows, ["key_hash"])

    def _insert(self, entries: Sequence[CleanEntry]) -> tuple[int, ...]:
        if not entries:
            return ()
        numbers = self._take_numbers(entries)
        ids = _free_ids(
            [make_id(self._date(one), n) for one, n in zip(entries, numbers, strict=True)]
        )
        rows = list(zip(ids, numbers, entries, strict=True))
        keys = [
            (seq, self.source_id, entry.key_hash, entry.alt_hash, pk) for pk, seq, entry in rows
        ]
        insert_rows(ItemKey, KEY_COLUMNS, keys)
        insert_rows(Item, ITEM_COLUMNS, [self._item(*row) for row in rows])
        insert_rows(ItemBody, BODY_COLUMNS, [_body(pk, entry) for pk, _, entry in rows])
        return tuple(ids)

    def _date(self, entry: CleanEntry) -> datetime:
        return entry.published or self.now

    def _take_numbers(self, entries: Sequence[CleanEntry]) -> list[int]:
        """Consecutive ledger numbers, which become visible in their order.

        SQLite has one writer at a time; PostgreSQL needs a lock until the commit, or a
        number could appear after a greater one that a reader has already seen.
        """
        with connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEQ_LOCK])
                cursor.execute(
                    "SELECT nextval(pg_get_serial_sequence('feeds_itemkey', 'seq'))"
                    " FROM generate_series(1, %s)",
                    [len(entries)],
                )
                return [row[0] for row in cursor.fetchall()]
            cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'feeds_itemkey'")
            row = cursor.fetchone()
        last = int(row[0]) if row else 0
        return list(range(last + 1, last + 1 + len(entries)))

    def _item(self, pk: int, seq: int, entry: CleanEntry) -> tuple[object, ...]:
        """The values of ITEM_COLUMNS."""
        content = self._content(entry)
        return (
            pk,
            seq,
            self.source_id,
            adapt_time(self._date(entry)),
            adapt_time(self.now),
            entry.language or self.language,
            False,
            *(content | {"topics": to_json(content["topics"])}).values(),
        )

    def _content(self, entry: CleanEntry) -> dict[str, object]:
        """The values of CONTENT_COLUMNS by name."""
        topics = dict.fromkeys((*entry.topics, *self.topics))
        return {
            "url": entry.url,
            "title": entry.title,
            "author": entry.author,
            "summary": entry.summary,
            "image_url": entry.image_url,
            "topics": list(topics)[:MOST_TOPICS],
            "content_hash": entry.content_hash,
        }

    def _update(self, changed: Sequence[tuple[int | None, CleanEntry]]) -> tuple[int, ...]:
        if not changed:
            return ()
        entries = {item_id: entry for item_id, entry in changed if item_id is not None}
        items = list(Item.objects.filter(pk__in=list(entries)).order_by())
        for item in items:
            item.updated_at = self.now
            before = item.topics
            for column, value in self._content(entries[item.pk]).items():
                setattr(item, column, value)
            self.has_other_topics |= item.topics != before
        Item.objects.bulk_update(items, [*CONTENT_COLUMNS, "updated_at"])
        self._update_bodies(entries)
        return tuple(item.pk for item in items)

    def _update_bodies(self, entries: dict[int, CleanEntry]) -> None:
        """A text taken from the article's page is better than the feed's and stays."""
        bodies = list(ItemBody.objects.filter(pk__in=list(entries), is_full_text=False))
        for body in bodies:
            entry = entries[body.pk]
            body.html, body.text = beyond_text(entry.html, entry.text), entry.text
            body.enclosures = _enclosures(entry)
        ItemBody.objects.bulk_update(bodies, ["html", "text", "enclosures"])


def _is_same(row: _Known, entry: CleanEntry) -> bool:
    """Whether a new guid with a known link and title is the known item.

    A regular programme repeats both; then its text and its date are others.
    """
    if row.item_id is None or row.content_hash == entry.content_hash:
        return True
    if row.published_at is None or entry.published is None:
        return True
    return abs(entry.published - row.published_at) < ANOTHER_DAY


def _free_ids(ids: Sequence[int]) -> list[int]:
    """The same ids, but a tail that an older item of the same second has is passed over."""
    used = set(Item.objects.filter(pk__in=ids).order_by().values_list("pk", flat=True))
    if not used:
        return list(ids)
    free = []
    for wanted in ids:
        second, tail, candidate = wanted >> TAIL_BITS, wanted & TAIL_MASK, wanted
        # An odd step visits every tail; a large one leaves the dense part at once.
        while candidate in used or (candidate != wanted and _exists(candidate)):
            tail = (tail + 0x9E37B) & TAIL_MASK
            candidate = second << TAIL_BITS | tail
        used.add(candidate)
        free.append(candidate)
    return free


def _exists(pk: int) -> bool:
    return Item.objects.filter(pk=pk).exists()


def _body(pk: int, entry: CleanEntry) -> tuple[object, ...]:
    """The values of BODY_COLUMNS."""
    html = beyond_text(entry.html, entry.text)
    return (pk, html, entry.text, to_json(_enclosures(entry)), False)


def _enclosures(entry: CleanEntry) -> list[dict[str, object]]:
    return [asdict(enclosure) for enclosure in entry.enclosures]
