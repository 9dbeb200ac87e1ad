"""Collects the rows of new items, so that the documents of a transaction share statements."""

from collections.abc import Iterable, Sequence
from operator import itemgetter

from django.db import connection

from feeds.core.bulk import insert_rows, prefer_lz4
from feeds.core.ids import TAIL_BITS, TAIL_MASK
from feeds.models import Item, ItemBody, ItemKey

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
"""Columns that a new version of an entry changes."""
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
_SEQ_LOCK = 0x5E01
"""Key of the advisory lock for new ledger numbers."""

Row = tuple[object, ...]


class NewRows:
    """Rows of the ledger, of items and of their bodies that `insert` writes.

    Items and bodies are written in the order of their ids, whatever the order of the documents,
    and bodies in one statement. FTS5 writes a segment at the start of each statement, and whenever
    an id is smaller than the one before. Merging many small segments costs more than writing them.
    """

    def __init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        self._keys: list[Row] = []
        self._items: list[Row] = []
        self._bodies: list[Row] = []
        self._ids: set[int] = set()
        self._last_seq: int | None = None

    def add(self, key: Row, item: Row, body: Row) -> None:
        """Add an item: the values of KEY_COLUMNS, ITEM_COLUMNS and BODY_COLUMNS."""
        self._keys.append(key)
        self._items.append(item)
        self._bodies.append(body)

    def insert(self) -> None:
        """Write the rows. Then the collection is empty."""
        keys, items, bodies = self._keys, self._items, self._bodies
        self._clear()
        if keys:
            insert_rows(ItemKey, KEY_COLUMNS, keys)
            items.sort(key=itemgetter(0))
            insert_rows(Item, ITEM_COLUMNS, items)
            bodies.sort(key=itemgetter(0))
            prefer_lz4()
            insert_rows(ItemBody, BODY_COLUMNS, bodies, together=True)

    def next_seqs(self, count: int) -> list[int]:
        """Return ascending ledger numbers, which become visible in their order.

        SQLite has one writer at a time. PostgreSQL needs a lock until the commit. Without it, a
        number could become visible after a greater one that a reader has already seen.
        """
        if connection.vendor == "postgresql":
            return _next_of_sequence(count)
        if self._last_seq is None:
            self._last_seq = _last_seq()
        first, self._last_seq = self._last_seq + 1, self._last_seq + count
        return list(range(first, first + count))

    def free_ids(self, wanted: Sequence[int]) -> list[int]:
        """Return these ids, with another tail where an item of the same second has that id."""
        used = _existing(wanted)
        used.update(self._ids.intersection(wanted))
        ids = [self._free_id(pk, used) for pk in wanted] if used else list(wanted)
        self._ids.update(ids)
        return ids

    def _free_id(self, wanted: int, used: set[int]) -> int:
        second, tail, candidate = wanted >> TAIL_BITS, wanted & TAIL_MASK, wanted
        # An odd step visits every tail, and a large one leaves the dense part at once.
        while candidate in used or (candidate != wanted and self._is_used(candidate)):
            tail = (tail + 0x9E37B) & TAIL_MASK
            candidate = second << TAIL_BITS | tail
        used.add(candidate)
        return candidate

    def _is_used(self, pk: int) -> bool:
        return pk in self._ids or bool(_existing([pk]))


def _last_seq() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = 'feeds_itemkey'")
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def _next_of_sequence(count: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_SEQ_LOCK])
        cursor.execute(
            "SELECT nextval(known.name) FROM"
            " (SELECT CAST(pg_get_serial_sequence('feeds_itemkey', 'seq') AS regclass) AS name"
            " OFFSET 0) known, generate_series(1, %s)",
            [count],
        )
        return [row[0] for row in cursor.fetchall()]


def _existing(ids: Iterable[int]) -> set[int]:
    """Return those of `ids` that items have. Hand-written SQL takes a tenth of the ORM's time."""
    numbers = ", ".join(map(str, ids))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id FROM feeds_item WHERE id IN ({numbers})")  # noqa: S608 - numbers
        return {pk for (pk,) in cursor.fetchall()}
