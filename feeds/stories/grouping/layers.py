"""Group private documents by audience, together with the stories that their readers share. Pure.

Each audience is a layer. The groups of a layer depend only on documents that all its readers can
see: its own, the public ones and those of the layers above it. Its documents may join groups of
these layers, but they never merge two of them and never change them.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from feeds.stories.grouping.layer_similarity import Layer, LayerSimilarities, compare_layers
from feeds.stories.grouping.linkage import Cluster, Linkage, sort_by_time
from feeds.stories.grouping.neighbours import Neighbours, find_neighbours
from feeds.stories.grouping.similarity import THRESHOLD, THRESHOLD_WITH_VECTORS, WINDOW
from feeds.stories.grouping.tokenizer import Document

PUBLIC = -1
"""The number of the public layer."""


@dataclass(frozen=True, slots=True)
class LayerGroup:
    """Documents of one layer that belong to one story.

    `group` is the number of the group among those of all layers; the public clusters come first.
    `is_new` is false if the documents joined a group of another layer.
    """

    documents: list[Document]
    group: int
    is_new: bool


@dataclass(slots=True)
class _Part:
    """What the documents of one layer add to a group: to the squared length of its vector sum,
    to its sources and to its size."""

    square: float
    sources: set[int]
    size: int


@dataclass(slots=True)
class _Group:
    """A group and what each layer adds to it: `parts` is {layer: part}.

    `start` and `end` are the times of the documents of the layer that created it.
    """

    start: float
    end: float
    parts: dict[int, _Part] = field(default_factory=dict)


def group_layers(
    public: Sequence[Cluster], layers: Sequence[Layer], vectors: Mapping[int, Any]
) -> list[list[LayerGroup]]:
    """Return the groups of each layer. Layers must come after those that they have `above`."""
    state = _LayeredGroups(public)
    compared = compare_layers([d for cluster in public for d in cluster.documents], layers, vectors)
    return [state.add(number, layer, result) for number, (layer, result) in enumerate(compared)]


class _LayeredGroups:
    """The groups so far, and the group of each document."""

    def __init__(self, public: Sequence[Cluster]) -> None:
        self._groups: list[_Group] = []
        self._group_of: dict[int, int] = {}
        for cluster in public:
            self._create(PUBLIC, cluster.documents, cluster.square)

    def add(self, number: int, layer: Layer, similarities: LayerSimilarities) -> list[LayerGroup]:
        """Group the documents of a layer, with the groups that its readers can see."""
        documents = sort_by_time(layer.documents)
        within = find_neighbours(documents, similarities.vectors, similarities.tfidf)
        seen = [PUBLIC, *layer.above]
        group_products = [
            self._products_with_groups(document, similarities.with_above.get(document.id, {}))
            for document in documents
        ]
        hosts = sorted({host for products in group_products for host in products})
        linkage = _JoiningLinkage(
            _nodes(within, group_products, hosts),
            documents,
            [self._groups[host] for host in hosts],
            [_seen_part(self._groups[host], seen) for host in hosts],
            THRESHOLD_WITH_VECTORS if similarities.has_vectors else THRESHOLD,
        )
        linkage.merge_all()
        return self._collect(number, documents, hosts, linkage)

    def _products_with_groups(
        self, document: Document, similarities: Mapping[int, float]
    ) -> dict[int, float]:
        """The dot products of a document with the vector sums of groups near in time."""
        products: defaultdict[int, float] = defaultdict(float)
        for other, similarity in similarities.items():
            group = self._group_of[other]
            if _is_within(document.time, document.time, self._groups[group]):
                products[group] += similarity
        return products

    def _collect(
        self,
        number: int,
        documents: Sequence[Document],
        hosts: Sequence[int],
        linkage: "_JoiningLinkage",
    ) -> list[LayerGroup]:
        """Turn the result of the linkage into groups of this layer."""
        groups: defaultdict[int, list[Document]] = defaultdict(list)
        for place, document in enumerate(documents):
            groups[linkage.group_of(place)].append(document)
        layer_groups = []
        for root, group in groups.items():
            host = linkage.host_of(root)
            if host is None:
                opened = self._create(number, group, linkage.square_of(root))
                layer_groups.append(LayerGroup(group, opened, is_new=True))
            else:
                grown = linkage.square_of(root) - linkage.initial_square(host)
                self._add_part(number, hosts[host], group, grown)
                layer_groups.append(LayerGroup(group, hosts[host], is_new=False))
        return layer_groups

    def _create(self, layer: int, documents: Sequence[Document], square: float) -> int:
        self._groups.append(_Group(documents[0].time, documents[-1].time))
        self._add_part(layer, len(self._groups) - 1, documents, square)
        return len(self._groups) - 1

    def _add_part(
        self, layer: int, group: int, documents: Sequence[Document], square: float
    ) -> None:
        sources = {document.source for document in documents}
        self._groups[group].parts[layer] = _Part(square, sources, len(documents))
        for document in documents:
            self._group_of[document.id] = group


def _seen_part(group: _Group, layers: Sequence[int]) -> _Part:
    """The sum of the parts of a group that belong to these layers."""
    parts = [group.parts[layer] for layer in layers if layer in group.parts]
    sources = set().union(*(part.sources for part in parts))
    return _Part(sum(p.square for p in parts), sources, sum(p.size for p in parts))


def _is_within(start: float, end: float, group: _Group) -> bool:
    return group.start - WINDOW <= start and end <= group.end + WINDOW


def _nodes(
    within: Neighbours, group_products: Sequence[Mapping[int, float]], hosts: Sequence[int]
) -> Neighbours:
    """The dot products of all nodes of the linkage: first the documents, then the groups."""
    place_of = {host: len(within) + place for place, host in enumerate(hosts)}
    nodes: Neighbours = [*within, *({} for _ in hosts)]
    for number, products in enumerate(group_products):
        for host, product in products.items():
            nodes[number][place_of[host]] = nodes[place_of[host]][number] = product
    return nodes


class _JoiningLinkage(Linkage):
    """Merges documents with each other and into given groups (hosts), but never two hosts."""

    def __init__(
        self,
        products: Neighbours,
        documents: Sequence[Document],
        hosts: Sequence[_Group],
        parts: Sequence[_Part],
        threshold: float,
    ) -> None:
        squares = [*(1.0 for _ in documents), *(part.square for part in parts)]
        sources = [*({d.source} for d in documents), *(part.sources for part in parts)]
        sizes = [*(1 for _ in documents), *(part.size for part in parts)]
        super().__init__(products, squares, sources, threshold, sizes)
        self._initial_squares = [part.square for part in parts]
        self._hosts = hosts
        self._host: list[int | None] = [*(None for _ in documents), *range(len(hosts))]
        self._starts = [*(d.time for d in documents), *(host.start for host in hosts)]
        self._ends = [*(d.time for d in documents), *(host.end for host in hosts)]

    def host_of(self, group: int) -> int | None:
        return self._host[group]

    def initial_square(self, host: int) -> float:
        """The squared length of a host's vector sum before anything joined it."""
        return self._initial_squares[host]

    def _queue_pairs(self) -> None:
        for left, others in enumerate(self._products):
            for right, product in others.items():
                if left < right:
                    self._queue_if_similar(left, right, product)

    def _queue_if_similar(self, left: int, right: int, product: float) -> None:
        if self._may_merge(left, right):
            super()._queue_if_similar(left, right, product)

    def _may_merge(self, left: int, right: int) -> bool:
        """Two hosts never merge, and documents join a host only within its time window."""
        left_host, right_host = self._host[left], self._host[right]
        if left_host is None and right_host is None:
            return True
        if left_host is not None and right_host is not None:
            return False
        joining, host = (right, left_host) if left_host is not None else (left, right_host)
        assert host is not None
        return _is_within(self._starts[joining], self._ends[joining], self._hosts[host])

    def _merge(self, left: int, right: int) -> None:
        """Merge `right` into `left`. A host keeps its times, whatever joins it."""
        hosts = [node for node in (left, right) if self._host[node] is not None]
        timed = hosts or [left, right]
        self._starts[left] = min(self._starts[node] for node in timed)
        self._ends[left] = max(self._ends[node] for node in timed)
        self._host[left] = self._host[hosts[0]] if hosts else None
        super()._merge(left, right)
