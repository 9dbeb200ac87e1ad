# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""Computes BM25 on SQLite from the items that the reader may see.

FTS5's bm25() computes rarity and length from all items of the database, including the private items
of other readers. So this module takes only the term frequencies from it. For a single term,
bm25() with our weights, divided by bm25() with huge weights, is f / (f + norm), where f is the
weighted frequency of the term in the item. f is a whole number, so rounding removes the influence
of the other items. FTS5 has no other function that counts terms without reading the texts.
"""

import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from feeds.search.query.types import K1, B, Match

WEIGHTS = "5, 2, 1"
"""Weights of title, summary and text in the ranking."""
_UNBOUNDED = "1e200, 1e200, 1e200"
_COUNT = (
    f"SELECT f.rowid, bm25(feeds_search, {WEIGHTS}) / bm25(feeds_search, {_UNBOUNDED})"
    # The + keeps SQLite from searching the whole posting list of the term for each id.
    " FROM feeds_search f WHERE feeds_search MATCH %s AND f.rowid BETWEEN %s AND %s"
    " AND +f.rowid IN (SELECT value FROM json_each(%s)) ORDER BY f.rowid"
)
_LENGTHS = (
    "SELECT id, sz FROM feeds_search_docsize"
    " WHERE id IN (SELECT value FROM json_each(%s)) ORDER BY id"
)
MOST_BYTES = 5
"""Maximum length of an encoded number of words in bytes."""
Floats = npt.NDArray[np.float64]
Weights = dict[tuple[str, ...], float]
"""{terms of a word, which are alternatives: rarity of the word}."""


class Candidates:
    """Items that match, and that are to be scored."""

    def __init__(self, cursor: Any, ids: Sequence[int]) -> None:
        self._cursor = cursor
        self._as_json = json.dumps([*ids])
        cursor.execute(_LENGTHS, [self._as_json])
        # The rows are in the order of ids. They lack items that were deleted meanwhile.
        rows = cursor.fetchall()
        self.ids = np.array([pk for pk, _ in rows], dtype=np.int64)
        self._lengths = lengths([length for _, length in rows])

    def matches(self, words: Weights) -> list[Match]:
        """Return all items with their scores. A lower score is better."""
        if not self.ids.size:
            return []
        norm = _norm(self._lengths, max(1.0, float(self._lengths.mean())))
        score = np.zeros(len(self.ids))
        for terms, rarity in words.items():
            empty = np.zeros(len(self.ids))
            frequency = sum((self._frequency(term) for term in terms), start=empty)
            score -= rarity * frequency * (K1 + 1) / (frequency + norm)
        return [*map(Match, self.ids.tolist(), score.tolist())]

    def _frequency(self, term: str) -> Floats:
        """Return the weighted frequency of `term` in each item, in the order of `ids`."""
        frequency = np.zeros(len(self.ids))
        low, high = int(self.ids[0]), int(self.ids[-1])
        self._cursor.execute(_COUNT, [term, low, high, self._as_json])
        if rows := self._cursor.fetchall():
            ids, shares = zip(*rows, strict=True)
            at, share = np.searchsorted(self.ids, ids), np.array(shares)
            # share = frequency / (frequency + norm)
            frequency[at] = np.rint(share * self._norm_of_all[at] / (1 - share))
        return frequency

    @cached_property
    def _norm_of_all(self) -> Floats:
        """The norms of bm25(), computed from the average length of all items of the database."""
        self._cursor.execute("SELECT block FROM feeds_search_data WHERE id = 1")
        items, *words = _numbers(self._cursor.fetchone()[0])
        return _norm(self._lengths, sum(words) / items)


def _norm(lengths: Floats, average: float) -> Floats:
    return K1 * (1 - B + B * lengths / average)


def lengths(rows: Sequence[bytes]) -> Floats:
    """Return the number of words of each item: the sum of the numbers in its docsize row."""
    data = np.frombuffer(b"".join(rows), dtype=np.uint8)
    # Each byte of a number has seven bits, the highest first. The last byte is below 0x80.
    values, continues = (data & 0x7F).astype(np.int64), data >= 0x80
    factor = np.ones(len(data), dtype=np.int64)
    for _ in range(MOST_BYTES - 1):
        factor[:-1] = np.where(continues[:-1], factor[1:] * 128, 1)
    starts = np.cumsum([0, *map(len, rows[:-1])])
    return np.add.reduceat(values * factor, starts).astype(float) if rows else np.zeros(0)


def _numbers(row: bytes) -> Iterator[int]:
    """Yield the numbers in a row. The ninth byte of a number has eight bits."""
    number = length = 0
    for byte in row:
        length += 1
        number = number << 8 | byte if length == 9 else number << 7 | byte & 0x7F
        if length == 9 or byte < 0x80:
            yield number
            number = length = 0
