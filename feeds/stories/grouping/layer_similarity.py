"""Similarities between private documents and the documents that all their readers can see. Pure."""

import heapq
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feeds.stories.grouping.linkage import sort_by_time
from feeds.stories.grouping.neighbours import MAX_NEIGHBOURS, MIN_SIMILARITY, Floats, postings_of
from feeds.stories.grouping.similarity import (
    DAY,
    TERMS_ONLY_FACTOR,
    WINDOW,
    combine,
    is_same_text,
    penalty,
    time_decay,
)
from feeds.stories.grouping.tokenizer import Document, TfIdf
from feeds.stories.grouping.vectors import Matrix, Vectors

_BLOCK = 256
"""Documents that are compared by one matrix product."""


@dataclass(frozen=True, slots=True)
class Layer:
    """The documents of the private sources of one audience.

    `above` are the numbers of the other private layers that all its readers can see. The public
    documents are above every layer.
    """

    documents: Sequence[Document]
    above: Sequence[int] = ()


@dataclass(slots=True)
class LayerSimilarities:
    """What the grouping of a layer needs: its TF-IDF weights, vectors and similarities.

    `with_above` is {id of a document: {id of a document above it: similarity in 0..1}}.
    """

    tfidf: TfIdf
    vectors: Vectors
    has_vectors: bool
    """Whether this layer or a layer above it has any vectors."""
    with_above: dict[int, dict[int, float]] = field(default_factory=dict)


def compare_layers(
    public: Sequence[Document], layers: Sequence[Layer], vectors: Mapping[int, Any]
) -> list[tuple[Layer, LayerSimilarities]]:
    """Compare each layer with the public documents and the layers above it.

    Document frequencies and the mean vector of a layer are computed from all documents that its
    readers can see.
    """
    shared = LayerSimilarities(TfIdf(public), Vectors(_select(public, vectors)), False)
    shared.has_vectors = bool(shared.vectors)
    results: list[LayerSimilarities] = []
    for layer in layers:
        results.append(
            _new_result(layer, [shared, *(results[number] for number in layer.above)], vectors)
        )
    index = _Index(layers, results)
    index.compare(sort_by_time(public), shared, None)
    for number, layer in enumerate(layers):
        below = [place for place, other in enumerate(layers) if number in other.above]
        if below:
            index.compare(sort_by_time(layer.documents), results[number], below)
    for result in results:
        result.with_above = {
            pk: _nearest(similarities) for pk, similarities in result.with_above.items()
        }
    return list(zip(layers, results, strict=True))


def _nearest(similarities: dict[int, float]) -> dict[int, float]:
    """Keep the most similar documents only, as within a layer."""
    if len(similarities) <= MAX_NEIGHBOURS:
        return similarities
    return dict(
        heapq.nlargest(MAX_NEIGHBOURS, similarities.items(), key=lambda pair: (pair[1], -pair[0]))
    )


def _new_result(
    layer: Layer, above: Sequence[LayerSimilarities], vectors: Mapping[int, Any]
) -> LayerSimilarities:
    """The result for a layer, before anything is compared."""
    tfidf = TfIdf(layer.documents)
    tfidf.above = tuple(other.tfidf for other in above)
    own = Vectors(_select(layer.documents, vectors), [other.vectors for other in above])
    return LayerSimilarities(tfidf, own, bool(own) or any(other.has_vectors for other in above))


def _select(documents: Sequence[Document], vectors: Mapping[int, Any]) -> dict[int, Any]:
    """The vectors of these documents."""
    return {document.id: vectors[document.id] for document in documents if document.id in vectors}


class _Index:
    """An index of the documents of all private layers, in order of time."""

    def __init__(self, layers: Sequence[Layer], results: Sequence[LayerSimilarities]) -> None:
        layer_of = {d.id: number for number, layer in enumerate(layers) for d in layer.documents}
        self._documents = sort_by_time([d for layer in layers for d in layer.documents])
        self._results = results
        numbers = [layer_of[document.id] for document in self._documents]
        self._layers = np.array(numbers, dtype=np.int64)
        self._times = np.array([document.time for document in self._documents])
        self._has_vectors = np.array(
            [results[number].has_vectors for number in numbers], dtype=bool
        )
        weights = [
            results[n].tfidf.vector(d) for n, d in zip(numbers, self._documents, strict=True)
        ]
        self._postings = postings_of(weights, fewest=1)
        self._rows, self._known = self._matrix([result.vectors for result in results])
        self._by_key: defaultdict[str, list[int]] = defaultdict(list)
        for place, document in enumerate(self._documents):
            for key in {document.url, document.title_key} - {""}:
                self._by_key[key].append(place)

    def _matrix(self, vectors: Sequence[Vectors]) -> tuple[Matrix, NDArray[np.bool_]]:
        """The vectors of all documents [documents, size], and which documents have one.

        Layers whose vectors have another size are treated as if they had none.
        """
        size = max((layer_vectors.size for layer_vectors in vectors), default=0)
        rows: Matrix = np.zeros((len(self._documents), size), dtype=np.float32)
        known = np.zeros(len(self._documents), dtype=bool)
        for layer, layer_vectors in enumerate(vectors):
            places = np.flatnonzero(self._layers == layer)
            if layer_vectors.size == size and size:
                ids = [self._documents[place].id for place in places]
                rows[places], known[places] = layer_vectors.matrix_for(ids)
        return rows, known

    def compare(
        self,
        documents: Sequence[Document],
        results: LayerSimilarities,
        layers: Sequence[int] | None,
    ) -> None:
        """Record the similarities of these documents with the indexed ones.

        `documents` are in order of time. `layers` are the layers to compare with, None for all.
        """
        for start in range(0, len(documents), _BLOCK):
            block = documents[start : start + _BLOCK]
            low, high = self._span(block[0].time, block[-1].time)
            if low == high:  # nothing was published near it
                continue
            vector_cosines_of, known = self._block_cosines(block, results.vectors, low, high)
            for row, document in enumerate(block):
                vector_cosines = vector_cosines_of[row] if known[row] else None
                for place, score in self._similar_to(
                    document, results.tfidf, vector_cosines, low, layers
                ):
                    self._record(place, document.id, score)

    def _span(self, first: float, last: float) -> tuple[int, int]:
        """The range of places within the time window around `first` and `last`."""
        low = np.searchsorted(self._times, first - WINDOW)
        return int(low), int(np.searchsorted(self._times, last + WINDOW, side="right"))

    def _block_cosines(
        self, block: Sequence[Document], vectors: Vectors, low: int, high: int
    ) -> tuple[Matrix, NDArray[np.bool_]]:
        """Cosines [block, low..high] by vectors, not negative, and which of the block have one."""
        if not vectors.size or vectors.size != self._rows.shape[1]:
            return np.zeros((0, 0), dtype=np.float32), np.zeros(len(block), dtype=bool)
        rows, known = vectors.matrix_for([document.id for document in block])
        return np.maximum(rows @ self._rows[low:high].T, 0.0), known

    def _similar_to(
        self,
        document: Document,
        tfidf: TfIdf,
        vector_cosines: NDArray[np.float32] | None,
        start: int,
        layers: Sequence[int] | None,
    ) -> Iterator[tuple[int, float]]:
        """Yield the place and the similarity of each indexed document that is similar to this one.

        `vector_cosines` has the cosines by vectors with the places from `start` on; None if the
        document has no vector.
        """
        low, high = self._span(document.time, document.time)
        scores = self._term_cosines(tfidf.vector(document), low, high)
        by_terms = np.where(
            self._has_vectors[low:high], np.minimum(scores * TERMS_ONLY_FACTOR, 1.0), scores
        )
        if vector_cosines is None:
            scores = by_terms
        else:
            combined = combine(vector_cosines[low - start : high - start], scores)
            scores = np.where(self._known[low:high], combined, by_terms)
        days = np.minimum(np.abs(self._times[low:high] - document.time) / DAY, 1.0)
        scores = scores * time_decay(days)
        if layers is not None:
            scores[~np.isin(self._layers[low:high], layers)] = -1.0
        for place in (np.flatnonzero(scores > MIN_SIMILARITY) + low).tolist():
            yield place, float(scores[place - low]) * penalty(document, self._documents[place])
        for key in {document.url, document.title_key} - {""}:
            for place in self._by_key.get(key, ()):
                is_compared = low <= place < high and scores[place - low] >= 0
                if is_compared and is_same_text(document, self._documents[place]):
                    yield place, 1.0

    def _term_cosines(self, vector: Mapping[str, float], low: int, high: int) -> Floats:
        """Cosines by TF-IDF of a document with the places from `low` to `high`."""
        scores = np.zeros(high - low)
        for term, weight in vector.items():
            if term in self._postings:
                places, weights = self._postings[term]
                first, last = np.searchsorted(places, (low, high))
                scores[places[first:last] - low] += weight * weights[first:last]
        return scores

    def _record(self, place: int, other: int, score: float) -> None:
        """Record a similarity. Long records are cut from time to time, to bound the memory."""
        result, pk = self._results[self._layers[place]], self._documents[place].id
        similarities = result.with_above.setdefault(pk, {})
        similarities[other] = score
        if len(similarities) > 4 * MAX_NEIGHBOURS:
            result.with_above[pk] = _nearest(similarities)
