"""Group private documents, audience by audience, with the stories that their readers share. Pure.

What a layer comes to depends on its own documents and on those that all of its readers may see:
the public ones and the layers above it. Its documents join groups that were made of those, but
never merge two of them, and no group is changed by what joins it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feeds.stories.grouping.across import Layer, Likes, find_across
from feeds.stories.grouping.linkage import Cluster, Linkage, in_order
from feeds.stories.grouping.neighbours import Neighbours, find_neighbours
from feeds.stories.grouping.similarity import THRESHOLD, THRESHOLD_WITH_MEANING, WINDOW
from feeds.stories.grouping.tokenizer import Document

PUBLIC = -1
"""The number of the public layer."""


@dataclass(frozen=True, slots=True)
class Joined:
    """Documents of one layer that are one story. `group` counts the groups of all layers, the
    public clusters first; it `is_new` where they are a story of their own."""

    documents: list[Document]
    group: int
    is_new: bool


@dataclass(slots=True)
class _Part:
    """What the documents of one layer add to a group."""

    square: float
    sources: set[int]


@dataclass(slots=True)
class _Group:
    """`start` and `end` are the times of the documents that it was made of."""

    start: float
    end: float
    parts: dict[int, _Part] = field(default_factory=dict)


def group_layers(
    public: Sequence[Cluster], layers: Sequence[Layer], vectors: Mapping[int, Any]
) -> list[list[Joined]]:
    """The groups of each layer. No layer may come before one that it has `above` it."""
    below = _Below(public)
    across = find_across([d for cluster in public for d in cluster.documents], layers, vectors)
    return [below.add(number, layer, likes) for number, (layer, likes) in enumerate(across)]


class _Below:
    """The groups so far, and which group each document is in."""

    def __init__(self, public: Sequence[Cluster]) -> None:
        self._groups: list[_Group] = []
        self._group_of: dict[int, int] = {}
        for cluster in public:
            self._open(PUBLIC, cluster.documents, cluster.square)

    def add(self, number: int, layer: Layer, likes: Likes) -> list[Joined]:
        """Group the documents of a layer, with the groups of the layers above it."""
        documents = in_order(layer.documents)
        within = find_neighbours(documents, likes.vectors, likes.rarity)
        seen = [PUBLIC, *layer.above]
        near = [
            self._near(document, likes.with_above.get(document.id, {})) for document in documents
        ]
        hosts = sorted({host for products in near for host in products})
        linkage = _JoiningLinkage(
            _nodes(within, near, hosts),
            documents,
            [self._groups[host] for host in hosts],
            [_seen_part(self._groups[host], seen) for host in hosts],
            THRESHOLD_WITH_MEANING if likes.has_vectors else THRESHOLD,
        )
        linkage.merge_all()
        return self._take(number, documents, hosts, linkage)

    def _near(self, document: Document, likes: Mapping[int, float]) -> dict[int, float]:
        """The products of a document with groups, of those near enough in time."""
        products: defaultdict[int, float] = defaultdict(float)
        for other, like in likes.items():
            group = self._group_of[other]
            if _is_within(document.time, document.time, self._groups[group]):
                products[group] += like
        return products

    def _take(
        self,
        number: int,
        documents: Sequence[Document],
        hosts: Sequence[int],
        linkage: "_JoiningLinkage",
    ) -> list[Joined]:
        groups: defaultdict[int, list[Document]] = defaultdict(list)
        for place, document in enumerate(documents):
            groups[linkage.group_of(place)].append(document)
        found = []
        for root, group in groups.items():
            host = linkage.host_of(root)
            if host is None:
                opened = self._open(number, group, linkage.square_of(root))
                found.append(Joined(group, opened, is_new=True))
            else:
                grown = linkage.square_of(root) - linkage.begun_with(host)
                self._put(number, hosts[host], group, grown)
                found.append(Joined(group, hosts[host], is_new=False))
        return found

    def _open(self, layer: int, documents: Sequence[Document], square: float) -> int:
        self._groups.append(_Group(documents[0].time, documents[-1].time))
        self._put(layer, len(self._groups) - 1, documents, square)
        return len(self._groups) - 1

    def _put(self, layer: int, group: int, documents: Sequence[Document], square: float) -> None:
        self._groups[group].parts[layer] = _Part(square, {one.source for one in documents})
        for document in documents:
            self._group_of[document.id] = group


def _seen_part(group: _Group, layers: Sequence[int]) -> _Part:
    """A group as the readers of these layers know it."""
    parts = [group.parts[layer] for layer in layers if layer in group.parts]
    sources = set().union(*(part.sources for part in parts))
    return _Part(sum(part.square for part in parts), sources)


def _is_within(start: float, end: float, group: _Group) -> bool:
    return group.start - WINDOW <= start and end <= group.end + WINDOW


def _nodes(
    within: Neighbours, near: Sequence[Mapping[int, float]], hosts: Sequence[int]
) -> Neighbours:
    """The products of documents with one another and with the groups, which come after them."""
    place_of = {host: len(within) + place for place, host in enumerate(hosts)}
    nodes: Neighbours = [*within, *({} for _ in hosts)]
    for number, products in enumerate(near):
        for host, product in products.items():
            nodes[number][place_of[host]] = nodes[place_of[host]][number] = product
    return nodes


class _JoiningLinkage(Linkage):
    """Merges documents with one another and into given groups, which are not merged."""

    def __init__(
        self,
        products: Neighbours,
        documents: Sequence[Document],
        hosts: Sequence[_Group],
        parts: Sequence[_Part],
        threshold: float,
    ) -> None:
        squares = [*(1.0 for _ in documents), *(part.square for part in parts)]
        sources = [*({one.source} for one in documents), *(part.sources for part in parts)]
        super().__init__(products, squares, sources, threshold)
        self._begun_with = [part.square for part in parts]
        self._given = hosts
        self._host: list[int | None] = [*(None for _ in documents), *range(len(hosts))]
        self._starts = [*(one.time for one in documents), *(one.start for one in hosts)]
        self._ends = [*(one.time for one in documents), *(one.end for one in hosts)]

    def host_of(self, group: int) -> int | None:
        return self._host[group]

    def begun_with(self, host: int) -> float:
        """The square of a given group before anything joined it."""
        return self._begun_with[host]

    def _begin(self) -> None:
        for one, others in enumerate(self._products):
            for two, product in others.items():
                if one < two:
                    self._offer(one, two, product)

    def _offer(self, one: int, other: int, product: float) -> None:
        if self._may_merge(one, other):
            super()._offer(one, other, product)

    def _may_merge(self, one: int, two: int) -> bool:
        first, second = self._host[one], self._host[two]
        if first is None and second is None:
            return True
        if first is not None and second is not None:
            return False
        joining, host = (two, first) if first is not None else (one, second)
        assert host is not None
        return _is_within(self._starts[joining], self._ends[joining], self._given[host])

    def _merge(self, one: int, two: int) -> None:
        """A group that has a host is as long as that."""
        hosts = [node for node in (one, two) if self._host[node] is not None]
        kept = hosts or [one, two]
        self._starts[one] = min(self._starts[node] for node in kept)
        self._ends[one] = max(self._ends[node] for node in kept)
        self._host[one] = self._host[hosts[0]] if hosts else None
        super()._merge(one, two)
