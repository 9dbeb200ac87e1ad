"""Find the stories whose embeddings are nearest to a new item's. Pure.

A story is the sum of the vectors of its items. A Grouper keeps one NearestStories in memory.
"""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from feeds.stories.grouping.vectors import Matrix, Row, centred, mean_of

MAX_STORIES = 8
"""Stories that are returned for one document."""
MIN_COSINE = 0.3
"""Lowest cosine of a story that is returned."""
_CHUNK = 1024
"""Rows that are allocated at a time."""


class NearestStories:
    """Finds stories for a batch of documents by one matrix product."""

    def __init__(self, sample: Collection[Row]) -> None:
        """The mean of `sample` is subtracted from all vectors."""
        self._mean = mean_of(list(sample))
        self._sums: Matrix = np.zeros((_CHUNK, len(self._mean)), dtype=np.float32)
        self._lengths: NDArray[np.float32] = np.ones(_CHUNK, dtype=np.float32)
        self._ends: NDArray[np.float64] = np.zeros(_CHUNK)
        self._stories: list[int] = []
        self._row_of: dict[int, int] = {}
        self._batch: dict[int, tuple[Row, list[int]]] = {}
        self._stories_at_start = 0

    @property
    def size(self) -> int:
        """The dimension of the vectors."""
        return len(self._mean)

    def start_batch(self, vectors: Mapping[int, Row], since: float) -> None:
        """Start a batch: `vectors` is {document id: vector}.

        Stories whose newest item is older than `since`, in seconds since 1970, are left out.
        """
        self._batch = {}
        self._stories_at_start = count = len(self._stories)
        if not vectors:
            return
        rows = centred(np.stack(list(vectors.values())), self._mean)
        recent_rows = np.nonzero(self._ends[:count] >= since)[0]
        cosines = (rows @ self._sums[recent_rows].T) / self._lengths[recent_rows]
        for pk, row, similarities in zip(vectors, rows, cosines, strict=True):
            self._batch[pk] = (row, self._best(similarities, recent_rows))

    def stories_near(self, pk: int) -> list[int]:
        """The nearest stories of a document of the batch, with those created during the batch."""
        if pk not in self._batch:
            return []
        row, stories = self._batch[pk]
        first, count = self._stories_at_start, len(self._stories)
        if first == count:
            return stories
        cosines = (self._sums[first:count] @ row) / self._lengths[first:count]
        return [*stories, *self._best(cosines, np.arange(first, count))]

    def _best(self, cosines: NDArray[np.float32], rows: NDArray[np.int64]) -> list[int]:
        places = np.nonzero(cosines > MIN_COSINE)[0]
        if len(places) > MAX_STORIES:
            places = places[np.argsort(-cosines[places], kind="stable")[:MAX_STORIES]]
        return [self._stories[row] for row in rows[places].tolist()]

    def cosine(self, pk: int, story: int) -> float | None:
        """The cosine of a document of the batch and a story; None if one of them has no vector."""
        row = self._row_of.get(story)
        if row is None or pk not in self._batch:
            return None
        return float(self._batch[pk][0] @ self._sums[row] / self._lengths[row])

    def add(self, pk: int, story: int, time: float) -> None:
        """Add the vector of a document of the batch, published at `time`, to a story."""
        if pk not in self._batch:
            return
        row = self._row_of.get(story)
        if row is None:
            row = self._row_of[story] = len(self._stories)
            self._stories.append(story)
            self._grow()
        self._sums[row] += self._batch[pk][0]
        self._ends[row] = max(self._ends[row], time)
        self._lengths[row] = max(float(np.linalg.norm(self._sums[row])), 1e-9)

    def _grow(self) -> None:
        if len(self._stories) > len(self._sums):
            room = max(_CHUNK, len(self._sums) // 4)
            self._sums = np.pad(self._sums, ((0, room), (0, 0)))
            self._lengths = np.pad(self._lengths, (0, room), constant_values=1)
            self._ends = np.pad(self._ends, (0, room))

    def remove(self, stories: Collection[int]) -> None:
        """Remove stories."""
        gone = {self._row_of[story] for story in stories if story in self._row_of}
        if not gone:
            return
        kept = [row for row in range(len(self._stories)) if row not in gone]
        self._sums[: len(kept)] = self._sums[kept]
        self._sums[len(kept) :] = 0
        self._lengths[: len(kept)] = self._lengths[kept]
        self._lengths[len(kept) :] = 1
        self._ends[: len(kept)] = self._ends[kept]
        self._ends[len(kept) :] = 0
        self._stories = [self._stories[row] for row in kept]
        self._row_of = {story: row for row, story in enumerate(self._stories)}
        self._batch, self._stories_at_start = {}, len(self._stories)
