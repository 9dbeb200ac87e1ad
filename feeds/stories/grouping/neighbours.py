"""Find, for each document of a window, the earlier ones that it is like. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
from feeds.stories.grouping.vectors import Vectors

Neighbours = list[dict[int, float]]
"""For each document, by the number of another, their likeness."""
FAINT = 0.05
"""Likeness of two documents that is left out: it is noise, and nearly all of the pairs."""
NEAREST = 64
"""Earlier documents that each is compared with in the end, the most alike. F1 is the same
with all of them, and a story of a thousand tellings takes no million pairs."""
_BLOCK = 512
Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Postings = dict[str, tuple[Numbers, Floats]]


def find_neighbours(
    documents: Sequence[Document], vectors: Vectors | None = None, rarity: Rarity | None = None
) -> Neighbours:
    """The documents come in order of time; the likenesses are symmetric. `rarity` is that of
    these documents alone unless another is given."""
    neighbours: Neighbours = [{} for _ in documents]
    texts = _same_texts(documents)
    for row in _rows(documents, vectors, rarity or Rarity(documents)):
        for other, like in _nearest(documents, row):
            neighbours[row.number][other] = neighbours[other][row.number] = like
        for other in texts[row.number]:
            if other >= row.start:
                neighbours[row.number][other] = neighbours[other][row.number] = 1.0
    return neighbours


@dataclass(frozen=True, slots=True)
class _Row:
    """The likenesses of document `number` with those from `start` up to itself."""

    number: int
    start: int
    likes: Floats


def _nearest(documents: Sequence[Document], row: _Row) -> Iterator[tuple[int, float]]:
    found = np.nonzero(row.likes > FAINT)[0]
    if len(found) > NEAREST:
        found = found[np.argsort(-row.likes[found], kind="stable")[:NEAREST]]
    one = documents[row.number]
    for place in found.tolist():
        other = documents[row.start + place]
        yield row.start + place, float(row.likes[place]) * doubt(one, other)


def _rows(documents: Sequence[Document], vectors: Vectors | None, rarity: Rarity) -> Iterator[_Row]:
    times = np.array([document.time for document in documents])
    first = np.searchsorted(times, times - WINDOW)
    words = _Words(documents, rarity)
    meaning = _Meaning(documents, vectors) if vectors else None
    for number in range(len(documents)):
        start = int(first[number])
        likes = words.cosines(number, start)
        if meaning:
            likes = meaning.mix(likes, number, start)
        ago = np.minimum((times[number] - times[start:number]) / DAY, 1.0)
        yield _Row(number, start, likes * fading(ago))


class _Words:
    """Cosines by TF-IDF, a document at a time, added up from postings."""

    def __init__(self, documents: Sequence[Document], rarity: Rarity) -> None:
        self._vectors = [rarity.vector(document) for document in documents]
        self._postings = postings_of(self._vectors, fewest=2)

    def cosines(self, number: int, start: int) -> Floats:
        scores = np.zeros(number - start)
        for term, weight in self._vectors[number].items():
            if term in self._postings:
                numbers, weights = self._postings[term]
                low, high = np.searchsorted(numbers, (start, number))
                scores[numbers[low:high] - start] += weight * weights[low:high]
        return scores


def postings_of(vectors: Sequence[dict[str, float]], fewest: int) -> Postings:
    """By term, the numbers of the documents that have it with its weights, where at least
    `fewest` have it."""
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


class _Meaning:
    """Cosines by vectors, of a block of documents at a time with all before it."""

    def __init__(self, documents: Sequence[Document], vectors: Vectors) -> None:
        self._rows, self._known = vectors.matrix_for([document.id for document in documents])
        self._block: Any = None
        self._from = self._first = 0

    def mix(self, words: Floats, number: int, start: int) -> Floats:
        """`words` where one of the two has no vector."""
        alone = np.minimum(words * FROM_WORDS, 1.0)
        if not self._known[number]:
            return alone
        meaning = np.maximum(self._cosines(number, start), 0.0)
        found: Floats = np.where(self._known[start:number], mixed(meaning, words), alone)
        return found

    def _cosines(self, number: int, start: int) -> Floats:
        if self._block is None or number >= self._from + _BLOCK:
            self._from, self._first = number, start  # later ones start no earlier
            end = number + _BLOCK
            self._block = self._rows[number:end] @ self._rows[start:end].T
        found: Floats = self._block[number - self._from, start - self._first : number - self._first]
        return found


def _same_texts(documents: Sequence[Document]) -> list[list[int]]:
    """For each document the last earlier ones of the same address or title, each outlet's."""
    found: list[list[int]] = []
    seen: defaultdict[str, dict[int, int]] = defaultdict(dict)
    for number, document in enumerate(documents):
        keys = [key for key in (document.url, document.title_key) if key]
        earlier = {other for key in keys for other in seen[key].values()}
        found.append(sorted(o for o in earlier if is_same_text(document, documents[o])))
        for key in keys:
            seen[key][document.source] = number
    return found
