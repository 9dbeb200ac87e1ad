"""Group a set of documents at once: hierarchical, by the cosine of the groups' sums. Pure.

The result depends on the set alone, not on the order of arrival or the number of
workers; the hourly repair brings the stories to it.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from feeds.stories.likeness import THRESHOLD, WINDOW, doubt, is_same_text
from feeds.stories.words import Document, Rarity

Neighbours = list[dict[int, float]]
_FAINT = 0.05
"""Likeness of two documents that is left out: it is noise, and nearly all of the pairs. At
0.02 ten thousand items take a gigabyte; from 0.08 on stories begin to fall apart."""


def group_all(documents: Sequence[Document], threshold: float = THRESHOLD) -> list[list[Document]]:
    """Lists of documents that tell of one event, each in order of time."""
    ordered = sorted(documents, key=lambda document: (document.time, document.id))
    linkage = _Linkage(likenesses(ordered), threshold)
    groups: defaultdict[int, list[Document]] = defaultdict(list)
    for number, document in enumerate(ordered):
        groups[linkage.group_of(number)].append(document)
    return list(groups.values())


def likenesses(documents: Sequence[Document]) -> Neighbours:
    """For each document, in order of time, those that are like it within the window."""
    rarity = Rarity(documents)
    vectors = [rarity.vector(document) for document in documents]
    postings = _postings(vectors)
    times = np.array([document.time for document in documents])
    first = np.searchsorted(times, times - WINDOW)
    neighbours: Neighbours = [{} for _ in documents]
    scores = np.zeros(len(documents))
    for number, vector in enumerate(vectors):
        start = int(first[number])
        _add_up(scores, vector, postings, start, number)
        for other in (start + np.nonzero(scores[start:number] > _FAINT)[0]).tolist():
            one, two = documents[number], documents[other]
            like = 1.0 if is_same_text(one, two) else float(scores[other]) * doubt(one, two)
            neighbours[number][other] = neighbours[other][number] = like
        scores[start:number] = 0.0
    return neighbours


Postings = dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]


def _postings(vectors: Sequence[dict[str, float]]) -> Postings:
    lists: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for number, vector in enumerate(vectors):
        for term, weight in vector.items():
            lists[term][0].append(number)
            lists[term][1].append(weight)
    return {
        term: (np.array(numbers), np.array(weights))
        for term, (numbers, weights) in lists.items()
        if len(numbers) > 1
    }


def _add_up(
    scores: NDArray[np.float64], vector: dict[str, float], postings: Postings, start: int, end: int
) -> None:
    """Add to `scores[start:end]` the cosines with `vector`."""
    for term, weight in vector.items():
        if term in postings:
            numbers, weights = postings[term]
            low, high = np.searchsorted(numbers, (start, end))
            scores[numbers[low:high]] += weight * weights[low:high]


class _Linkage:
    """Merges the two groups most alike, until none are alike enough.

    A group is the sum of its unit vectors; its products with others and its own
    length follow from those of its parts, so no vector is touched after the start.
    """

    def __init__(self, neighbours: Neighbours, threshold: float) -> None:
        self._products = neighbours
        self._squares = [1.0] * len(neighbours)
        self._version = [0] * len(neighbours)
        self._parent = list(range(len(neighbours)))
        self._threshold = threshold
        self._queue = [
            (-like, one, two, 0, 0)
            for one, others in enumerate(neighbours)
            for two, like in others.items()
            if one < two and like >= threshold
        ]
        heapq.heapify(self._queue)
        while self._queue:
            self._take()

    def group_of(self, number: int) -> int:
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def _take(self) -> None:
        _, one, two, version_one, version_two = heapq.heappop(self._queue)
        if self._version[one] != version_one or self._version[two] != version_two:
            return
        if len(self._products[one]) < len(self._products[two]):
            one, two = two, one
        self._merge(one, two)

    def _merge(self, one: int, two: int) -> None:
        mine, theirs = self._products[one], self._products[two]
        self._parent[two] = one
        self._version[two] = -1
        self._version[one] += 1
        self._squares[one] += self._squares[two] + 2 * mine.pop(two)
        theirs.pop(one)
        for other, product in theirs.items():
            self._products[other].pop(two)
            mine[other] = self._products[other][one] = mine.get(other, 0.0) + product
        self._products[two] = {}
        for other, product in mine.items():
            like = product / math.sqrt(self._squares[one] * self._squares[other])
            if like >= self._threshold:
                pair = (one, other) if one < other else (other, one)
                versions = (self._version[pair[0]], self._version[pair[1]])
                heapq.heappush(self._queue, (-like, *pair, *versions))
