# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The latest arrivals of all sources in memory, from which the news of each reader are counted.

Arrays keep this cheap for thousands of readers: an event costs the queries for the new rows, and
some microseconds for each reader.
"""

import json
import time
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ainews_site.infra.db_router import reading_connection
from feeds.stories.ranking.scoring import MUTED

MAX_COUNTED = 1_000
"""Limit of counted items."""
WINDOW = 20_000
"""Latest arrivals, of all sources, that are searched for a reader's items."""
RECENT = 2_000
"""Latest arrivals, of all sources, that are searched for a reader's newest item; the part of the
window that is read again each time, because recent items are still put into stories."""
STEP = 1_000
"""Rounding of ledger numbers that are not of the reader's own items. The ledger includes private
sources of others, and exact numbers would reveal their activity."""
FRESH = 60.0
"""Seconds after which the whole window is read again."""

Numbers = npt.NDArray[np.int64]
SEQ, SOURCE, STORY, KIND = range(4)
NOTHING_READ = 2**62
NOTHING_MUTED: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers of new items and of the stories that the front page has more of; lower bounds if
    `has_more`."""

    items: int
    stories: int
    has_more: bool


class Kinds:
    """Numbers for the lists of topics that items have. Few lists are different."""

    def __init__(self) -> None:
        self._numbers: dict[str, int] = {}
        self._with_topic: defaultdict[str, list[int]] = defaultdict(list)

    def number_of(self, topics: str) -> int:
        """Return the number of a list of topics, given as JSON."""
        if topics not in self._numbers:
            self._numbers[topics] = len(self._numbers)
            for topic in json.loads(topics):
                self._with_topic[topic].append(self._numbers[topics])
        return self._numbers[topics]

    def with_any(self, topics: Collection[str]) -> Numbers:
        """Return the numbers of the lists that have any of these topics, sorted."""
        return np.unique(_numbers([n for topic in topics for n in self._with_topic.get(topic, ())]))


class Arrivals:
    """A copy of the ledger's end. `latest` is the newest ledger number of all sources."""

    def __init__(self) -> None:
        self.latest = 0
        self._newest = _numbers([])
        """The newest recent seq by source."""
        self._rows = _no_rows()
        self._kinds = Kinds()
        self._low = NOTHING_READ
        """The rows have all items with a higher seq."""
        self._read_at = 0.0

    def refresh(self, lowest: int, has_muted: bool = False) -> None:
        """Read what arrived since the last call. `lowest` is the lowest seq to count from.

        For readers with muted topics, older articles of the same stories are read as well.
        """
        newest = _query_newest()
        latest = max(newest.values(), default=0)
        lowest = min(lowest, latest - RECENT) if has_muted else lowest
        low = max(0, _rounded(latest - WINDOW), min(lowest, latest, self._low))
        is_stale = time.monotonic() - self._read_at > FRESH
        # The ledger is shorter than before if a backup was restored.
        if is_stale or low < self._low or latest < self.latest:
            self._kinds = Kinds()
            rows = _query_items(low, latest, self._kinds)
            self._read_at = time.monotonic()
        else:
            start = max(low, self.latest - RECENT)
            kept = self._rows[self._after(low) : self._after(start)]
            rows = np.concatenate((kept, _query_items(start, latest, self._kinds)))
        self._rows, self._low, self.latest = rows, low, latest
        self._newest = np.zeros(max(newest, default=0) + 1, dtype=np.int64)
        self._newest[_numbers(newest)] = _numbers(newest.values())

    def _after(self, seq: int) -> int:
        return int(np.searchsorted(self._rows[:, SEQ], seq, side="right"))

    def newest_of(self, sources: Numbers) -> int:
        """Return the newest ledger number of these sources, which must be sorted.

        If none is recent, this is a rounded lower bound of what is recent, which stands for the
        same set of items.
        """
        newest = self._newest[sources[: np.searchsorted(sources, len(self._newest))]]
        return int(newest.max(initial=0)) or max(0, _rounded(self.latest - RECENT))

    def count(
        self, sources: Numbers, seq: int, hidden: Numbers, muted: frozenset[str] = NOTHING_MUTED
    ) -> Counts:
        """Count the items after `seq` of these sources, without those with a seq in `hidden`.

        Counts at most MAX_COUNTED items among the last WINDOW arrivals, because clients may send
        any `seq`. Stories do not count for items with a topic in `muted`.
        """
        start = max(seq, _rounded(self.latest - WINDOW))
        rows = self._rows[self._after(start) :]
        rows = rows[_is_among(rows[:, SOURCE], sources)]
        if len(hidden):
            rows = rows[~np.isin(rows[:, SEQ], hidden)]
        counted = rows[:MAX_COUNTED]
        stories = self._count_stories(counted, sources, self._kinds.with_any(muted))
        return Counts(len(counted), stories, start > seq or len(rows) > MAX_COUNTED)

    def _count_stories(self, rows: Numbers, sources: Numbers, muted: Numbers) -> int:
        """Count the stories of `rows`. An item that is not in a story yet counts as one."""
        if len(muted):
            rows = rows[~_is_among(rows[:, KIND], muted)]
        in_story = rows[rows[:, STORY] > 0, STORY]
        stories = np.unique(in_story)
        if len(muted) and len(stories):
            stories = stories[self._muted_share(stories, sources, muted) < MUTED]
        return len(stories) + len(rows) - len(in_story)

    def _muted_share(
        self, stories: Numbers, sources: Numbers, muted: Numbers
    ) -> npt.NDArray[np.float64]:
        """The fraction of muted articles in each of these stories, as on the front page."""
        rows = self._rows[np.isin(self._rows[:, STORY], stories)]
        rows = rows[_is_among(rows[:, SOURCE], sources)]
        places = np.searchsorted(stories, rows[:, STORY])
        is_muted = _is_among(rows[:, KIND], muted)
        articles = np.bincount(places, minlength=len(stories))
        return np.bincount(places, is_muted, minlength=len(stories)) / np.maximum(articles, 1)


def _is_among(column: Numbers, wanted: Numbers) -> npt.NDArray[np.bool_]:
    """np.isin for small numbers: much faster for few rows."""
    size = int(column.max(initial=0)) + 1
    flags = np.zeros(size, dtype=np.bool_)
    flags[wanted[: np.searchsorted(wanted, size)]] = True
    return flags[column]


def _rounded(seq: int) -> int:
    return seq // STEP * STEP


def _numbers(values: Collection[int]) -> Numbers:
    return np.fromiter(values, dtype=np.int64, count=len(values))


def _no_rows() -> Numbers:
    return np.empty((0, 4), dtype=np.int64)


def _query_newest() -> dict[int, int]:
    """Return {source: newest seq} of the RECENT arrivals."""
    start = f"((SELECT COALESCE(max(seq), 0) FROM feeds_itemkey) - {RECENT}) / {STEP} * {STEP}"
    query = f"SELECT source_id, max(seq) FROM feeds_itemkey WHERE seq > {start} GROUP BY source_id"
    with reading_connection().cursor() as cursor:
        cursor.execute(query)
        return dict(cursor.fetchall())


def _query_items(start: int, latest: int, kinds: Kinds) -> Numbers:
    query = (
        "SELECT seq, source_id, COALESCE(story_id, 0), CAST(topics AS text) FROM feeds_item"
        " WHERE seq > %s AND seq <= %s ORDER BY seq"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [start, latest])
        rows = [(*row[:3], kinds.number_of(row[3])) for row in cursor.fetchall()]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)
