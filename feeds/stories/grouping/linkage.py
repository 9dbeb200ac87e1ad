"""Cluster a set of documents: hierarchical clustering by the cosine of the clusters' sums. Pure.

The result depends only on the set of documents, not on the order of arrival or on the number of
workers. The hourly repair changes the stories to this result.
"""

import heapq
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.stories.grouping.neighbours import Neighbours, find_neighbours
from feeds.stories.grouping.similarity import (
    MAX_DOCUMENTS,
    THRESHOLD,
    THRESHOLD_WITH_VECTORS,
    threshold_factor,
)
from feeds.stories.grouping.tokenizer import Document
from feeds.stories.grouping.vectors import Vectors


@dataclass(frozen=True, slots=True)
class Cluster:
    """The documents of one event, in order of time.

    `square` is the squared length of the sum of their unit vectors.
    """

    documents: list[Document]
    square: float


def group_all(
    documents: Sequence[Document],
    vectors: Mapping[int, Any] | None = None,
    threshold: float | None = None,
) -> list[list[Document]]:
    """Return lists of documents that cover one event, each in order of time.

    `vectors` is {document id: embedding, float32 [d] of unit length}. Documents without a vector
    are compared by terms only. `threshold` is a cosine; by default it depends on whether there
    are vectors.
    """
    known = Vectors(vectors or {})
    return [cluster.documents for cluster in cluster_all(documents, known, threshold)]


def cluster_all(
    documents: Sequence[Document], vectors: Vectors, threshold: float | None = None
) -> list[Cluster]:
    """Like `group_all`, for vectors that are already centred."""
    ordered = sort_by_time(documents)
    if threshold is None:
        threshold = THRESHOLD_WITH_VECTORS if vectors else THRESHOLD
    neighbours = find_neighbours(ordered, vectors)
    linkage = Linkage(neighbours, [1.0] * len(ordered), [{d.source} for d in ordered], threshold)
    linkage.merge_all()
    groups: defaultdict[int, list[Document]] = defaultdict(list)
    for number, document in enumerate(ordered):
        groups[linkage.group_of(number)].append(document)
    return [Cluster(group, linkage.square_of(root)) for root, group in groups.items()]


def sort_by_time(documents: Sequence[Document]) -> list[Document]:
    """Sort by time. The id is the last key, because it depends on the order of arrival."""
    return sorted(documents, key=lambda d: (d.time, d.url, d.title_key, d.id))


class Linkage:
    """Agglomerative clustering: merges the two most similar groups until none are similar enough.

    A group is represented by the sum of its unit vectors. Dot products and lengths of merged
    groups follow from those of their parts, so the vectors themselves are not needed.
    """

    def __init__(
        self,
        products: Neighbours,
        squares: Sequence[float],
        sources: Sequence[set[int]],
        threshold: float,
        sizes: Sequence[int] = (),
    ) -> None:
        """Start with one group per node.

        `products` are their dot products, `squares` their squared lengths, `sources` the ids of
        the sources that published them. `threshold` is the cosine that two large groups need.
        `sizes` are their numbers of documents, by default one.
        """
        self._products = products
        self._squares = list(squares)
        self._sources = [set(ids) for ids in sources]
        self._sizes = list(sizes) or [1] * len(products)
        self._version = [0] * len(products)
        self._parent = list(range(len(products)))
        self._threshold = threshold
        self._queue: list[tuple[float, int, int, int, int]] = []

    def merge_all(self) -> None:
        """Merge until no two groups are similar enough."""
        self._queue_pairs()
        heapq.heapify(self._queue)
        while self._queue:
            self._merge_next()

    def _queue_pairs(self) -> None:
        """Queue all similar pairs of documents. Each document has one source."""
        least = self._threshold * threshold_factor(1, 1)
        self._queue = [
            (-cosine / threshold_factor(1, 1), left, right, 0, 0)
            for left, others in enumerate(self._products)
            for right, cosine in others.items()
            if left < right and cosine >= least
        ]

    def group_of(self, number: int) -> int:
        """The group that contains node `number`."""
        while self._parent[number] != number:
            number = self._parent[number]
        return number

    def square_of(self, group: int) -> float:
        return self._squares[group]

    def _merge_next(self) -> None:
        """Merge the best pair of the queue, unless one of its groups has changed since."""
        _, left, right, left_version, right_version = heapq.heappop(self._queue)
        if self._version[left] != left_version or self._version[right] != right_version:
            return
        if len(self._products[left]) < len(self._products[right]):
            left, right = right, left
        self._merge(left, right)

    def _merge(self, left: int, right: int) -> None:
        """Merge `right` into `left`."""
        kept, merged = self._products[left], self._products[right]
        self._parent[right] = left
        self._version[right] = -1
        self._version[left] += 1
        self._squares[left] += self._squares[right] + 2 * kept.pop(right)
        self._sources[left] |= self._sources[right]
        self._sizes[left] += self._sizes[right]
        merged.pop(left)
        for other, product in merged.items():
            self._products[other].pop(right)
            kept[other] = self._products[other][left] = kept.get(other, 0.0) + product
        self._products[right] = {}
        for other, product in kept.items():
            self._queue_if_similar(left, other, product)

    def _queue_if_similar(self, left: int, right: int, product: float) -> None:
        """Queue a pair of groups if they are similar enough to merge, and not too many."""
        if self._sizes[left] + self._sizes[right] > MAX_DOCUMENTS:
            return
        cosine = product / math.sqrt(self._squares[left] * self._squares[right])
        if cosine < self._threshold:
            return
        cosine /= threshold_factor(len(self._sources[left]), len(self._sources[right]))
        if cosine >= self._threshold:
            pair = (left, right) if left < right else (right, left)
            versions = (self._version[pair[0]], self._version[pair[1]])
            heapq.heappush(self._queue, (-cosine, *pair, *versions))
