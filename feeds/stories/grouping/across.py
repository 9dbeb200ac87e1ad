"""How alike private documents are to those that their readers share with others. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.stories.grouping.linkage import in_order
from feeds.stories.grouping.neighbours import FAINT, NEAREST, Floats, postings_of
from feeds.stories.grouping.similarity import (
    DAY,
    FROM_WORDS,
    WINDOW,
    doubt,
    fading,
    is_same_text,
    mixed,
)
from feeds.stories.grouping.tokenizer import Document, Rarity
from feeds.stories.grouping.vectors import Matrix, Vectors

_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Layer:
    """Documents of the private sources of one audience. `above` are the numbers of the layers
    that all of its readers may see as well; the public one goes without saying."""

    documents: Sequence[Document]
    above: Sequence[int] = ()


@dataclass(slots=True)
class Likes:
    """What a layer is grouped by. `with_above` gives by a document's id, and by that of one of
    the layers above or of the public ones, how alike the two are."""

    rarity: Rarity
    vectors: Vectors
    has_vectors: bool
    """Whether the layer or one above it has vectors at all."""
    with_above: dict[int, dict[int, float]] = field(default_factory=dict)


def find_across(
    public: Sequence[Document], layers: Sequence[Layer], vectors: Mapping[int, Any]
) -> list[tuple[Layer, Likes]]:
    """Each layer with its likenesses. Rarity and the mean of the vectors are those of what the
    readers of a layer may see."""
    shared = Likes(Rarity(public), Vectors(_of(public, vectors)), False)
    shared.has_vectors = bool(shared.vectors)
    found: list[Likes] = []
    for layer in layers:
        found.append(_begin(layer, [shared, *(found[number] for number in layer.above)], vectors))
    index = _Index(layers, found)
    index.compare(in_order(public), shared, None)
    for number, layer in enumerate(layers):
        below = [place for place, other in enumerate(layers) if number in other.above]
        if below:
            index.compare(in_order(layer.documents), found[number], below)
    for likes in found:
        likes.with_above = {pk: _nearest(noted) for pk, noted in likes.with_above.items()}
    return list(zip(layers, found, strict=True))


def _nearest(noted: dict[int, float]) -> dict[int, float]:
    """Each document keeps the most alike alone, as within a layer."""
    if len(noted) <= NEAREST:
        return noted
    return dict(heapq.nlargest(NEAREST, noted.items(), key=lambda one: (one[1], -one[0])))


def _begin(layer: Layer, above: Sequence[Likes], vectors: Mapping[int, Any]) -> Likes:
    rarity = Rarity(layer.documents)
    rarity.above = tuple(one.rarity for one in above)
    own = Vectors(_of(layer.documents, vectors), [one.vectors for one in above])
    return Likes(rarity, own, bool(own) or any(one.has_vectors for one in above))


def _of(documents: Sequence[Document], vectors: Mapping[int, Any]) -> dict[int, Any]:
    return {one.id: vectors[one.id] for one in documents if one.id in vectors}


class _Index:
    """The documents of all layers in order of time, to be found from those above them."""

    def __init__(self, layers: Sequence[Layer], likes: Sequence[Likes]) -> None:
        layer_of = {d.id: number for number, one in enumerate(layers) for d in one.documents}
        self._documents = in_order([d for layer in layers for d in layer.documents])
        self._likes = likes
        numbers = [layer_of[document.id] for document in self._documents]
        self._layers = np.array(numbers, dtype=np.int64)
        self._times = np.array([document.time for document in self._documents])
        self._mixes = np.array([likes[number].has_vectors for number in numbers], dtype=bool)
        weights = [likes[n].rarity.vector(d) for n, d in zip(numbers, self._documents, strict=True)]
        self._postings = postings_of(weights, fewest=1)
        self._rows, self._known = self._matrix([one.vectors for one in likes])
        self._same: defaultdict[str, list[int]] = defaultdict(list)
        for place, document in enumerate(self._documents):
            for key in {document.url, document.title_key} - {""}:
                self._same[key].append(place)

    def _matrix(self, vectors: Sequence[Vectors]) -> tuple[Matrix, NDArray[np.bool_]]:
        """The vectors of all layers; a layer of another size counts as without."""
        size = max((one.size for one in vectors), default=0)
        rows: Matrix = np.zeros((len(self._documents), size), dtype=np.float32)
        known = np.zeros(len(self._documents), dtype=bool)
        for layer, own in enumerate(vectors):
            places = np.flatnonzero(self._layers == layer)
            if own.size == size and size:
                ids = [self._documents[place].id for place in places]
                rows[places], known[places] = own.matrix_for(ids)
        return rows, known

    def compare(
        self, documents: Sequence[Document], likes: Likes, layers: Sequence[int] | None
    ) -> None:
        """Note how alike these documents, in order of time, are to those of `layers`; None for
        all of them."""
        for start in range(0, len(documents), _BLOCK):
            block = documents[start : start + _BLOCK]
            low, high = self._span(block[0].time, block[-1].time)
            if low == high:
                continue
            meanings, known = self._meanings(block, likes.vectors, low, high)
            for row, document in enumerate(block):
                meaning = meanings[row] if known[row] else None
                for place, like in self._alike(document, likes.rarity, meaning, low, layers):
                    self._note(place, document.id, like)

    def _span(self, first: float, last: float) -> tuple[int, int]:
        low = np.searchsorted(self._times, first - WINDOW)
        return int(low), int(np.searchsorted(self._times, last + WINDOW, side="right"))

    def _meanings(
        self, block: Sequence[Document], vectors: Vectors, low: int, high: int
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        if not vectors.size or vectors.size != self._rows.shape[1]:
            return np.zeros((0, 0), dtype=np.float32), np.zeros(len(block), dtype=bool)
        rows, known = vectors.matrix_for([document.id for document in block])
        return np.maximum(rows @ self._rows[low:high].T, 0.0), known

    def _alike(
        self,
        document: Document,
        rarity: Rarity,
        meaning: NDArray[np.float32] | None,
        begun: int,
        layers: Sequence[int] | None,
    ) -> Iterator[tuple[int, float]]:
        """The documents of these layers that this one is like. `meaning` has the cosines of the
        vectors with those from `begun` on."""
        low, high = self._span(document.time, document.time)
        likes = self._words(rarity.vector(document), low, high)
        alone = np.where(self._mixes[low:high], np.minimum(likes * FROM_WORDS, 1.0), likes)
        if meaning is None:
            likes = alone
        else:
            both = mixed(meaning[low - begun : high - begun], likes)
            likes = np.where(self._known[low:high], both, alone)
        likes = likes * fading(np.minimum(np.abs(self._times[low:high] - document.time) / DAY, 1.0))
        if layers is not None:
            likes[~np.isin(self._layers[low:high], layers)] = -1.0
        for place in (np.flatnonzero(likes > FAINT) + low).tolist():
            yield place, float(likes[place - low]) * doubt(document, self._documents[place])
        for key in {document.url, document.title_key} - {""}:
            for place in self._same.get(key, ()):
                is_seen = low <= place < high and likes[place - low] >= 0
                if is_seen and is_same_text(document, self._documents[place]):
                    yield place, 1.0

    def _words(self, vector: Mapping[str, float], low: int, high: int) -> Floats:
        scores = np.zeros(high - low)
        for term, weight in vector.items():
            if term in self._postings:
                places, weights = self._postings[term]
                first, last = np.searchsorted(places, (low, high))
                scores[places[first:last] - low] += weight * weights[first:last]
        return scores

    def _note(self, place: int, other: int, like: float) -> None:
        likes, pk = self._likes[self._layers[place]], self._documents[place].id
        noted = likes.with_above.setdefault(pk, {})
        noted[other] = like
        if len(noted) > 4 * NEAREST:
            likes.with_above[pk] = _nearest(noted)
