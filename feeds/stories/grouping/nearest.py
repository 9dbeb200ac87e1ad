"""The stories of a window as sums of what their items mean, to find those a new item is near.

Pure; stays in memory with the Grouper.
"""

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import NDArray

from feeds.stories.grouping.vectors import Matrix, Row, centred, mean_of

MOST = 8
"""Stories that are looked at for one document."""
LEAST = 0.3
"""Cosine below which meaning alone never makes two documents one story."""
_ROOM = 1024


class NearestStories:
    """One matrix product finds the stories near to a batch of documents."""

    def __init__(self, sample: Collection[Row]) -> None:
        """The mean of `sample` is what all of them share."""
        self._mean = mean_of(list(sample))
        self._sums: Matrix = np.zeros((_ROOM, len(self._mean)), dtype=np.float32)
        self._lengths: NDArray[np.float32] = np.ones(_ROOM, dtype=np.float32)
        self._ends: NDArray[np.float64] = np.zeros(_ROOM)
        self._stories: list[int] = []
        self._row_of: dict[int, int] = {}
        self._batch: dict[int, tuple[Row, list[int]]] = {}
        self._looked_at = 0

    @property
    def size(self) -> int:
        """Numbers of a vector."""
        return len(self._mean)

    def look(self, vectors: Mapping[int, Row], since: float) -> None:
        """Take a batch of vectors in, by their document's id.

        Stories whose last telling is before `since`, in seconds since 1970, are too old
        for all of them.
        """
        self._batch = {}
        self._looked_at = count = len(self._stories)
        if not vectors:
            return
        rows = centred(np.stack(list(vectors.values())), self._mean)
        open_ = np.nonzero(self._ends[:count] >= since)[0]
        cosines = (rows @ self._sums[open_].T) / self._lengths[open_]
        for pk, row, near in zip(vectors, rows, cosines, strict=True):
            self._batch[pk] = (row, self._best(near, open_))

    def near(self, pk: int) -> list[int]:
        """The stories near to a document of the batch, with those that the batch opened."""
        if pk not in self._batch:
            return []
        row, stories = self._batch[pk]
        first, count = self._looked_at, len(self._stories)
        if first == count:
            return stories
        cosines = (self._sums[first:count] @ row) / self._lengths[first:count]
        return [*stories, *self._best(cosines, np.arange(first, count))]

    def _best(self, cosines: NDArray[np.float32], rows: NDArray[np.int64]) -> list[int]:
        places = np.nonzero(cosines > LEAST)[0]
        if len(places) > MOST:
            places = places[np.argsort(-cosines[places], kind="stable")[:MOST]]
        return [self._stories[row] for row in rows[places].tolist()]

    def cosine(self, pk: int, story: int) -> float | None:
        """None where the document or the story has no vector."""
        row = self._row_of.get(story)
        if row is None or pk not in self._batch:
            return None
        return float(self._batch[pk][0] @ self._sums[row] / self._lengths[row])

    def put(self, pk: int, story: int, time: float) -> None:
        """A document of the batch belongs to this story and was told at `time`."""
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
            room = max(_ROOM, len(self._sums) // 4)
            self._sums = np.pad(self._sums, ((0, room), (0, 0)))
            self._lengths = np.pad(self._lengths, (0, room), constant_values=1)
            self._ends = np.pad(self._ends, (0, room))

    def forget(self, stories: Collection[int]) -> None:
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
        self._batch, self._looked_at = {}, len(self._stories)
