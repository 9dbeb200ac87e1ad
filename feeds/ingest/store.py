"""Stores the entries of a feed: inserts new ones and updates known ones.

Entries are stored in chunks. Each chunk is one short transaction with a constant number of queries.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from logging import getLogger

from django.db import DatabaseError, connection, transaction

from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.core.bulk import time_adapter, to_json
from feeds.core.ids import lowest_id, make_id
from feeds.core.partitions import ensure_partitions
from feeds.html.markup import html_to_store
from feeds.ingest.new_rows import CONTENT_COLUMNS, NewRows
from feeds.ingest.parse.types import CleanEntry
from feeds.models import Item, ItemBody, ItemKey

logger = getLogger(__name__)

CHUNK = 500
"""Number of entries in a transaction, which is small because other writers wait for it."""
UNDATED_STEP = timedelta(hours=1)
ANOTHER_DAY = timedelta(hours=20)
"""Entries of the same link and title, but published further apart, are different ones."""
MAX_TOPICS = 8


@dataclass(frozen=True, slots=True)
class Stored:
    """Ids of the new items and of those whose content changed.

    `has_other_topics` tells whether the topics of any of the latter changed.
    """

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
    """A row of the ledger, with the columns of its item that tell whether it changed."""

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
    rows: NewRows | None = None,
) -> Stored:
    """Store the entries of one document. Storing them again changes nothing.

    `topics` and `language` are the source's. On the first fetch of a source (`is_first`), entries
    without a date are dated backwards from `now` in the order of the feed, so that an archive does
    not flood the top. A caller that stores documents of several sources in one transaction passes
    `rows`, inserts these and bumps the revision at its end; see feeds.coordination.revisions.
    """
    dated = date_entries(entries, now, is_first=is_first)
    ambiguous = _ambiguous_hashes(entries)
    # Oldest first: the ledger's order of arrival follows the order of events.
    ordered = sorted(dated, key=lambda entry: entry.published or now)
    _ensure_partitions({lowest_id(entry.published or now) for entry in ordered})
    stored = Stored()
    for start in range(0, len(ordered), CHUNK):
        chunk = _Chunk(source_id, ordered[start : start + CHUNK], now, topics, language)
        stored += chunk.store(ambiguous, rows, is_first=is_first)
    return stored


def ensure_partitions_of(entries: Iterable[CleanEntry], now: datetime) -> None:
    """Create the partitions of these entries, before a transaction that stores several sources.

    Creating one locks the table of sources, because items refer to it, until the transaction ends.
    A transaction that then waits for a source which a reader is changing would be a deadlock.
    """
    if connection.vendor == "postgresql":
        moments = {(entry.published or now).replace(microsecond=0) for entry in entries}
        _ensure_partitions({lowest_id(moment) for moment in moments})


def _ensure_partitions(ids: Iterable[int]) -> None:
    """Create the partitions of these ids. If that fails, the default partition takes the rows."""
    try:
        ensure_partitions(ids)
    except DatabaseError as error:
        if connection.in_atomic_block:  # it is broken; the caller retries each source by itself
            raise
        logger.error("partitions_not_made reason=%s", " ".join(str(error).split()))


def date_entries(
    entries: Sequence[CleanEntry], now: datetime, *, is_first: bool
) -> list[CleanEntry]:
    """Return the entries with dates.

    An entry without a date gets `now`, or, at the first fetch of a source, a moment before the
    previous entry's: a second, or UNDATED_STEP if no entry has a date.
    """
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


def _ambiguous_hashes(entries: Iterable[CleanEntry]) -> frozenset[int]:
    """Return hashes of link and title that several entries share, so that they identify none."""
    return frozenset(
        alt for alt, times in Counter(entry.alt_hash for entry in entries).items() if times > 1
    )


class _Chunk:
    """Entries of one source that are stored in one transaction."""

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
    def store(self, ambiguous: frozenset[int], rows: NewRows | None, *, is_first: bool) -> Stored:
        """Look up the entries, then insert the new and update the changed ones.

        New rows are added to `rows`, if there are any, and else inserted. A ledger row without an
        item is a tombstone: the item was deleted or archived, and is not stored again.
        """
        is_unknown = is_first and not self._has_ledger()
        known = {} if is_unknown else self._find_known(ambiguous)
        new = [entry for entry in self.entries if entry.key_hash not in known]
        changed = [
            (row.item_id, entry)
            for entry in self.entries
            if (row := known.get(entry.key_hash))
            and row.item_id is not None
            and row.content_hash != entry.content_hash
        ]
        self._rename_keys(known)
        new_rows = NewRows() if rows is None else rows
        new_ids = self._add(new, new_rows)
        stored = Stored(new_ids, self._update(changed), self.has_other_topics)
        if rows is None:
            new_rows.insert()
            if stored.updated_ids:
                bump_revision(CONTENT)
        return stored

    def _has_ledger(self) -> bool:
        """Return True if the source has stored an entry before."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1 FROM feeds_itemkey WHERE source_id = %s LIMIT 1", [self.source_id]
            )
            return cursor.fetchone() is not None

    def _find_known(self, ambiguous: frozenset[int]) -> dict[int, _Known]:
        """Return {key hash of an entry: its ledger row}, by key, else by link and title."""
        rows = self._rows(key_hash__in=[entry.key_hash for entry in self.entries])
        known = {row.key_hash: row for row in rows}
        missing = [
            entry
            for entry in self.entries
            if entry.url and entry.key_hash not in known and entry.alt_hash not in ambiguous
        ]
        if missing:
            rows = self._rows(alt_hash__in=[entry.alt_hash for entry in missing])
            renamed = {row.alt_hash: row for row in rows if row.key_hash not in known}
            rows = [*known.values(), *renamed.values()]
            self._add_item_columns(rows)
            # If most entries have a new guid, the source generates guids at each fetch, and they
            # identify nothing.
            is_unstable = len(renamed) > max(len(known), 2)
            for entry in missing:
                row = renamed.get(entry.alt_hash)
                if row and (is_unstable or _is_same(row, entry)):
                    known[entry.key_hash] = renamed.pop(entry.alt_hash)
        else:
            self._add_item_columns(known.values())
        return known

    def _rows(self, **condition: list[int]) -> list[_Known]:
        rows = ItemKey.objects.filter(source_id=self.source_id, **condition).order_by("seq")
        return [_Known(*row) for row in rows.values_list("seq", "key_hash", "alt_hash", "item_id")]

    def _add_item_columns(self, rows: Iterable[_Known]) -> None:
        by_id = {row.item_id: row for row in rows if row.item_id is not None}
        if not by_id:
            return
        items = Item.objects.filter(pk__in=list(by_id)).order_by()
        for pk, content, published in items.values_list("pk", "content_hash", "published_at"):
            by_id[pk].content_hash, by_id[pk].published_at = content, published

    def _rename_keys(self, known: dict[int, _Known]) -> None:
        """Update the ledger for entries with a new guid, which some sources give at each fetch."""
        renamed = {row.seq: key for key, row in known.items() if row.key_hash != key}
        if renamed:
            rows = list(ItemKey.objects.filter(pk__in=list(renamed)))
            for row in rows:
                row.key_hash = renamed[row.seq]
            ItemKey.objects.bulk_update(rows, ["key_hash"])

    def _add(self, entries: Sequence[CleanEntry], rows: NewRows) -> tuple[int, ...]:
        """Add new entries to `rows`. Returns the ids of their items."""
        if not entries:
            return ()
        seqs = rows.next_seqs(len(entries))
        ids = rows.free_ids(
            [make_id(self._date(entry), seq) for entry, seq in zip(entries, seqs, strict=True)]
        )
        adapt_time = time_adapter()
        fetched_at = adapt_time(self.now)
        for pk, seq, entry in zip(ids, seqs, entries, strict=True):
            rows.add(
                (seq, self.source_id, entry.key_hash, entry.alt_hash, pk),
                self._item(pk, seq, entry, adapt_time(self._date(entry)), fetched_at),
                _body(pk, entry),
            )
        return tuple(ids)

    def _date(self, entry: CleanEntry) -> datetime:
        return entry.published or self.now

    def _item(
        self, pk: int, seq: int, entry: CleanEntry, published: object, fetched_at: object
    ) -> tuple[object, ...]:
        """Return the values of ITEM_COLUMNS."""
        return (
            pk,
            seq,
            self.source_id,
            published,
            fetched_at,
            entry.language or self.language,
            False,
            entry.url,
            entry.title,
            entry.author,
            entry.summary,
            entry.image_url,
            _json_of(self._topics(entry)),
            entry.content_hash,
        )

    def _content(self, entry: CleanEntry) -> tuple[object, ...]:
        """Return the values of CONTENT_COLUMNS."""
        return (
            entry.url,
            entry.title,
            entry.author,
            entry.summary,
            entry.image_url,
            list(self._topics(entry)),
            entry.content_hash,
        )

    def _topics(self, entry: CleanEntry) -> tuple[str, ...]:
        """Return the topics of the entry and of its source, each once."""
        return tuple(dict.fromkeys((*entry.topics, *self.topics)))[:MAX_TOPICS]

    def _update(self, changed: Sequence[tuple[int | None, CleanEntry]]) -> tuple[int, ...]:
        if not changed:
            return ()
        entries = {item_id: entry for item_id, entry in changed if item_id is not None}
        items = list(Item.objects.filter(pk__in=list(entries)).order_by())
        for item in items:
            item.updated_at = self.now
            before = item.topics
            values = self._content(entries[item.pk])
            for column, value in zip(CONTENT_COLUMNS, values, strict=True):
                setattr(item, column, value)
            self.has_other_topics |= item.topics != before
        Item.objects.bulk_update(items, [*CONTENT_COLUMNS, "updated_at"])
        self._update_bodies(entries)
        return tuple(item.pk for item in items)

    def _update_bodies(self, entries: dict[int, CleanEntry]) -> None:
        """Update the bodies, except full texts from the articles' pages, which are better."""
        bodies = list(ItemBody.objects.filter(pk__in=list(entries), is_full_text=False))
        for body in bodies:
            entry = entries[body.pk]
            body.html, body.text = html_to_store(entry.html, entry.text), entry.text
            body.enclosures = _enclosures(entry)
        ItemBody.objects.bulk_update(bodies, ["html", "text", "enclosures"])


def _is_same(row: _Known, entry: CleanEntry) -> bool:
    """Return True if an entry with a new guid, but a known link and title, is the known item.

    A regular programme repeats its link and title, but with another text and date.
    """
    if row.item_id is None or row.content_hash == entry.content_hash:
        return True
    if row.published_at is None or entry.published is None:
        return True
    return abs(entry.published - row.published_at) < ANOTHER_DAY


def _body(pk: int, entry: CleanEntry) -> tuple[object, ...]:
    """Return the values of BODY_COLUMNS."""
    html = html_to_store(entry.html, entry.text)
    enclosures = to_json(_enclosures(entry)) if entry.enclosures else "[]"
    return (pk, html, entry.text, enclosures, False)


@lru_cache(maxsize=1_000)
def _json_of(topics: tuple[str, ...]) -> str:
    """Cached, because many items have the same topics."""
    return to_json(topics)


def _enclosures(entry: CleanEntry) -> list[dict[str, object]]:
    return [asdict(enclosure) for enclosure in entry.enclosures]
