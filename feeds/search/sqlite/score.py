# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""BM25 on SQLite over what the reader may see.

FTS5's bm25() judges rarity and length by all items of the database, those of others' private
sources too. Asked for one term alone, and once more with weights without bound, it gives away
how often the term is in an item: a whole number, whatever else the database holds. From these
numbers the score is computed anew. FTS5 has no other function that counts without reading the
texts.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from feeds.search.query.types import K1, B, Match

WEIGHTS = "5, 2, 1"
"""Of title, summary and text in the ranking."""
_UNBOUNDED = "1e200, 1e200, 1e200"
_COUNT = (
    f"SELECT f.rowid, bm25(feeds_search, {WEIGHTS}) / bm25(feeds_search, {_UNBOUNDED})"
    # The + keeps SQLite from looking for each of them in the whole list of the term.
    " FROM feeds_search f WHERE feeds_search MATCH %s AND f.rowid BETWEEN %s AND %s"
    " AND +f.rowid IN (SELECT value FROM json_each(%s)) ORDER BY f.rowid"
)
_LENGTHS = (
    "SELECT id, sz FROM feeds_search_docsize"
    " WHERE id IN (SELECT value FROM json_each(%s)) ORDER BY id"
)
MOST_BYTES = 5
"""Of a number of words."""
Floats = npt.NDArray[np.float64]
Weights = dict[tuple[str, ...], float]
"""The terms of a word, of which any will do, and how rare it is."""


class Candidates:
    """Items that match, of which the terms are counted."""

    def __init__(self, cursor: Any, ids: Sequence[int]) -> None:
        self._cursor = cursor
        self._as_json = json.dumps([*ids])
        cursor.execute(_LENGTHS, [self._as_json])
        # In the order of their ids; one that was just deleted is left out.
        rows = cursor.fetchall()
        self.ids = np.array([pk for pk, _ in rows], dtype=np.int64)
        self._lengths = lengths([length for _, length in rows])

    def matches(self, words: Weights) -> list[Match]:
        """All items with their scores; a lower one is better."""
        if not self.ids.size:
            return []
        norm = _norm(self._lengths, max(1.0, float(self._lengths.mean())))
        score = np.zeros(len(self.ids))
        for terms, rarity in words.items():
            often = sum((self._often(term) for term in terms), start=np.zeros(len(self.ids)))
            score -= rarity * often * (K1 + 1) / (often + norm)
        return [*map(Match, self.ids.tolist(), score.tolist())]

    def _often(self, term: str) -> Floats:
        """How often `term` is in each item, weighed."""
        often = np.zeros(len(self.ids))
        low, high = int(self.ids[0]), int(self.ids[-1])
        self._cursor.execute(_COUNT, [term, low, high, self._as_json])
        if rows := self._cursor.fetchall():
            ids, shares = zip(*rows, strict=True)
            at, share = np.searchsorted(self.ids, ids), np.array(shares)
            # bm25() is share = often / (often + norm), times what both answers have.
            often[at] = np.rint(share * self._norm_of_all[at] / (1 - share))
        return often

    @cached_property
    def _norm_of_all(self) -> Floats:
        """As bm25() has it: by the average length of all items of the database."""
        self._cursor.execute("SELECT block FROM feeds_search_data WHERE id = 1")
        items, *words = _numbers(self._cursor.fetchone()[0])
        return _norm(self._lengths, sum(words) / items)


def _norm(lengths: Floats, average: float) -> Floats:
    return K1 * (1 - B + B * lengths / average)


def lengths(rows: Sequence[bytes]) -> Floats:
    """The sums of the numbers in each of the rows that FTS5 wrote: the words of an item."""
    written = np.frombuffer(b"".join(rows), dtype=np.uint8)
    # A number has seven bits a byte, the highest first; its last byte is below 0x80.
    values, goes_on = (written & 0x7F).astype(np.int64), written >= 0x80
    factor = np.ones(len(written), dtype=np.int64)
    for _ in range(MOST_BYTES - 1):
        factor[:-1] = np.where(goes_on[:-1], factor[1:] * 128, 1)
    starts = np.cumsum([0, *map(len, rows[:-1])])
    return np.add.reduceat(values * factor, starts).astype(float) if rows else np.zeros(0)


def _numbers(row: bytes) -> Iterator[int]:
    """The numbers in a row; one of nine bytes has eight bits in the last."""
    number = length = 0
    for byte in row:
        length += 1
        number = number << 8 | byte if length == 9 else number << 7 | byte & 0x7F
        if length == 9 or byte < 0x80:
            yield number
            number = length = 0
