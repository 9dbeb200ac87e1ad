"""Group a set of documents at once: hierarchical, by the cosine of the groups' sums. Pure.

The result depends on the set alone, not on the order of arrival or the number of
workers; the hourly repair brings the stories to it.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.stories.grouping.neighbours import Neighbours, find_neighbours
from feeds.stories.grouping.similarity import THRESHOLD, THRESHOLD_WITH_MEANING, needed
from feeds.stories.grouping.tokenizer import Document
from feeds.stories.grouping.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Cluster:
    """Documents of one event in order of time. `square` is the squared length of the sum of
    their unit vectors."""

    documents: list[Document]
    square: float


def group_all(
    documents: Sequence[Document],
    vectors: Mapping[int, Any] | None = None,
    threshold: float | None = None,
) -> list[list[Document]]:
    """Lists of documents that tell of one event, each in order of time.

    `vectors` gives, by a document's id, what it means: float32 [d] of unit length. Those that
    have none are judged by their words.
    """
    known = Vectors(vectors or {})
    return [cluster.documents for cluster in cluster_all(documents, known, threshold)]


def cluster_all(
    documents: Sequence[Document], vectors: Vectors, threshold: float | None = None
) -> list[Cluster]:
    ordered = in_order(documents)
    if threshold is None:
        threshold = THRESHOLD_WITH_MEANING if vectors else THRESHOLD
    neighbours = find_neighbours(ordered, vectors)
    linkage = Linkage(
        neighbours, [1.0] * len(ordered), [{one.source} for one in ordered], threshold
    )
    linkage.merge_all()
    groups: defaultdict[int, list[Document]] = defaultdict(list)
    for number, document in enumerate(ordered):
        groups[linkage.group_of(number)].append(document)
    return [Cluster(group, linkage.square_of(root)) for root, group in groups.items()]


def in_order(documents: Sequence[Document]) -> list[Document]:
    """In order of time. An id may tell of the order of arrival among those of one second: it
    comes last."""
    return sorted(documents, key=lambda one: (one.time, one.url, one.title_key, one.id))


class Linkage:
    """Merges the two groups most alike, until none are alike enough.

    A group is the sum of its unit vectors; its products with others and its own
    length follow from those of its parts, so no vector is touched after the start.
    """

    def __init__(
        self,
        products: Neighbours,
        squares: Sequence[float],
        sources: Sequence[set[int]],
        threshold: float,
    ) -> None:
        """`squares` are the squared lengths of the groups to begin with, `sources` who published
        them."""
        self._products = products
        self._squares = list(squares)
        self._sources = [set(one) for one in sources]
        self._version = [0] * len(products)
        self._parent = list(range(len(products)))
        self._threshold = threshold
        self._queue: list[tuple[float, int, int, int, int]] = []

    def merge_all(self) -> None:
        self._begin()
        heapq.heapify(self._queue)
        while self._queue:
            self._take()

    def _begin(self) -> None:
        """Queue the pairs of documents, which are of one source each."""
        least = self._threshold * needed(1, 1)
        self._queue = [
            (-like / needed(1, 1), one, two, 0, 0)
            for one, others in enumerate(self._products)
            for two, like in others.items()
            if one < two and like >= least
        ]

    def group_of(self, number: int) -> int:
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def square_of(self, group: int) -> float:
        return self._squares[group]

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
        self._sources[one] |= self._sources[two]
        theirs.pop(one)
        for other, product in theirs.items():
            self._products[other].pop(two)
            mine[other] = self._products[other][one] = mine.get(other, 0.0) + product
        self._products[two] = {}
        for other, product in mine.items():
            self._offer(one, other, product)

    def _offer(self, one: int, other: int, product: float) -> None:
        like = product / math.sqrt(self._squares[one] * self._squares[other])
        if like < self._threshold:
            return
        like /= needed(len(self._sources[one]), len(self._sources[other]))
        if like >= self._threshold:
            pair = (one, other) if one < other else (other, one)
            versions = (self._version[pair[0]], self._version[pair[1]])
            heapq.heappush(self._queue, (-like, *pair, *versions))
