"""Find the similar earlier documents of each document of a window. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from feeds.stories.grouping.vectors import Vectors

Neighbours = list[dict[int, float]]
"""For each document: {number of another document: similarity in 0..1}."""
MIN_SIMILARITY = 0.05
"""Lower similarities are dropped. They are noise, and nearly all pairs are among them."""
MAX_NEIGHBOURS = 64
"""Number of most similar earlier documents that are kept for each document. This bounds the pairs
of large stories; in the evaluation, F1 is the same with all pairs."""
_BLOCK = 512
"""Documents that are compared by one matrix product."""
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Postings = dict[str, tuple[Numbers, Floats]]


def find_neighbours(
    documents: Sequence[Document], vectors: Vectors | None = None, tfidf: TfIdf | None = None
) -> Neighbours:
    """Compare documents, which must be in order of time. The similarities are symmetric.

    `tfidf` has the document frequencies, by default those of these documents.
    """
    neighbours: Neighbours = [{} for _ in documents]
    texts = _same_texts(documents)
    for row in _rows(documents, vectors, tfidf or TfIdf(documents)):
        for other, similarity in _nearest(documents, row):
            neighbours[row.number][other] = neighbours[other][row.number] = similarity
        for other in texts[row.number]:
            if other >= row.start:
                neighbours[row.number][other] = neighbours[other][row.number] = 1.0
    return neighbours


@dataclass(frozen=True, slots=True)
class _Row:
    """The similarities of document `number` with documents `start` to `number - 1`."""

    number: int
    start: int
    similarities: Floats


def _nearest(documents: Sequence[Document], row: _Row) -> Iterator[tuple[int, float]]:
    """Yield the numbers and similarities of the most similar documents of a row."""
    places = np.nonzero(row.similarities > MIN_SIMILARITY)[0]
    if len(places) > MAX_NEIGHBOURS:
        places = places[np.argsort(-row.similarities[places], kind="stable")[:MAX_NEIGHBOURS]]
    document = documents[row.number]
    for place in places.tolist():
        other = documents[row.start + place]
        yield row.start + place, float(row.similarities[place]) * penalty(document, other)


def _rows(documents: Sequence[Document], vectors: Vectors | None, tfidf: TfIdf) -> Iterator[_Row]:
    times = np.array([document.time for document in documents])
    first = np.searchsorted(times, times - WINDOW)
    terms = _TermIndex(documents, tfidf)
    embeddings = _VectorIndex(documents, vectors) if vectors else None
    for number in range(len(documents)):
        start = int(first[number])
        similarities = terms.cosines(number, start)
        if embeddings:
            similarities = embeddings.mix(similarities, number, start)
        days = np.minimum((times[number] - times[start:number]) / DAY, 1.0)
        yield _Row(number, start, similarities * time_decay(days))


class _TermIndex:
    """Computes cosines by TF-IDF, one document at a time, from postings."""

    def __init__(self, documents: Sequence[Document], tfidf: TfIdf) -> None:
        self._vectors = [tfidf.vector(document) for document in documents]
        self._postings = postings_of(self._vectors, fewest=2)

    def cosines(self, number: int, start: int) -> Floats:
        """[number - start]: cosines of document `number` with documents `start` to `number - 1`."""
        scores = np.zeros(number - start)
        for term, weight in self._vectors[number].items():
            if term in self._postings:
                numbers, weights = self._postings[term]
                low, high = np.searchsorted(numbers, (start, number))
                scores[numbers[low:high] - start] += weight * weights[low:high]
        return scores


def postings_of(vectors: Sequence[dict[str, float]], fewest: int) -> Postings:
    """{term: (numbers of the documents that have it, its weights)} of the terms that at least
    `fewest` documents have."""
    lists: defaultdict[str, tuple[list[int], list[float]]] = defaultdict(lambda: ([], []))
    for number, vector in enumerate(vectors):
        for term, weight in vector.items():
            lists[term][0].append(number)
            lists[term][1].append(weight)
    return {
        term: (np.array(numbers), np.array(weights))
        for term, (numbers, weights) in lists.items()
        if len(numbers) >= fewest
    }


class _VectorIndex:
    """Computes cosines by embeddings, for a block of documents at a time."""

    def __init__(self, documents: Sequence[Document], vectors: Vectors) -> None:
        self._rows, self._known = vectors.matrix_for([document.id for document in documents])
        self._block: Any = None
        self._from = self._first = 0

    def mix(self, terms: Floats, number: int, start: int) -> Floats:
        """Combine the cosines by terms with those by vectors, where both documents have one."""
        by_terms = np.minimum(terms * TERMS_ONLY_FACTOR, 1.0)
        if not self._known[number]:
            return by_terms
        by_vectors = np.maximum(self._cosines(number, start), 0.0)
        known = self._known[start:number]
        combined: Floats = np.where(known, combine(by_vectors, terms), by_terms)
        return combined

    def _cosines(self, number: int, start: int) -> Floats:
        if self._block is None or number >= self._from + _BLOCK:
            self._from, self._first = number, start  # `start` never decreases
            end = number + _BLOCK
            self._block = self._rows[number:end] @ self._rows[start:end].T
        low, high = start - self._first, number - self._first
        cosines: Floats = self._block[number - self._from, low:high]
        return cosines


def _same_texts(documents: Sequence[Document]) -> list[list[int]]:
    """For each document, the last earlier one of each source with the same URL or title."""
    results: list[list[int]] = []
    seen: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for number, document in enumerate(documents):
        keys = [key for key in (document.url, document.title_key) if key]
        earlier = {other for key in keys for other in seen[key].values()}
        results.append(sorted(o for o in earlier if is_same_text(document, documents[o])))
        for key in keys:
            seen[key][document.source] = number
    return results
