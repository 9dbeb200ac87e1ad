"""Put each document into a story as it arrives: the best of the stories that share rare
words with it. Pure; the state stays in memory between calls."""

import heapq
import math
from array import array
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from feeds.stories.grouping.similarity import (
    COPY,
    DAY,
    FROM_WORDS,
    THRESHOLD,
    THRESHOLD_WITH_MEANING,
    WINDOW,
    doubt,
    fading,
    is_same_text,
    mixed,
    needed,
)
from feeds.stories.grouping.tokenizer import Document, Rarity

if TYPE_CHECKING:
    from feeds.stories.grouping.nearest import NearestStories

_MOST_LOOKED_UP = 500
"""Stories that the rarest words of a document may lead to; those with more find no candidates,
but still count."""
_MOST_CANDIDATES = 8
_LEAST_SHARED = 0.06
"""The part of a document's weight, squared, that must lie in rare terms it shares with a
story: two rare words of a hundred are chance."""
_BLOCK = 256
"""Documents whose nearest stories are found by one product of matrices."""
_MOST_RECENT = 8
"""Documents of a story that a new one is compared with, for copies."""


Vectors = Mapping[int, Any]


@dataclass(slots=True)
class _Story:
    id: int
    first: Document
    total: "_Packed | dict[str, float]" = field(default_factory=dict)
    square: float = 0.0
    start: float = math.inf
    end: float = -math.inf
    sources: set[int] = field(default_factory=set)
    recent: list[tuple[Document, "_Packed"]] = field(default_factory=list)


class _Packed:
    """A vector that is kept: a sixth of the memory of a dictionary, and most stories are one."""

    __slots__ = ("terms", "weights")

    def __init__(self, vector: Mapping[str, float]) -> None:
        self.terms = tuple(vector)
        self.weights = array("f", vector.values())

    def as_dict(self) -> dict[str, float]:
        return dict(zip(self.terms, self.weights, strict=True))


@dataclass(frozen=True, slots=True)
class Assignment:
    """The story a document belongs to (its own id when it opens one), and the document
    that it is a copy of, if any."""

    story: int
    copy_of: int | None = None


class Grouper:
    """The stories of a window of time."""

    def __init__(self) -> None:
        self._threshold = THRESHOLD
        self._meaning: NearestStories | None = None
        self._rarity = Rarity()
        self._stories: dict[int, _Story] = {}
        self._postings: defaultdict[str, array[int]] = defaultdict(_numbers)
        self._kept_in_postings = 0
        self._by_url: dict[str, int] = {}
        self._by_title: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._stories)

    def takes(self, vectors: Vectors) -> bool:
        """Whether these, all of one size, can be compared with those that it has: a model may
        change under its name."""
        row = next(iter(vectors.values()), None)
        return row is None or self._meaning is None or len(row) == self._meaning.size

    def put_all(self, known: Sequence[tuple[Document, int]], vectors: Vectors) -> None:
        """Documents whose story is known, such as those of an earlier process."""
        for document, _ in known:
            self._rarity.add(document)
        self._look(vectors, math.inf)  # taken in: nothing near is asked for
        for document, story in known:
            self._add(document, self._rarity.vector(document), story)

    def assign_all(
        self, documents: Sequence[Document], vectors: Vectors | None = None
    ) -> dict[int, "Assignment"]:
        """Find each document's story, or open one; the batch knows itself beforehand.

        `vectors` gives, by a document's id, what it means: float32 [d] of unit length.
        """
        for document in documents:
            self._rarity.add(document)
        found = {}
        for start in range(0, len(documents), _BLOCK):
            block = documents[start : start + _BLOCK]
            known = {d.id: vectors[d.id] for d in block if vectors and d.id in vectors}
            self._look(known, min(document.time for document in block) - WINDOW)
            found.update({document.id: self._assign(document) for document in block})
        return found

    def _look(self, vectors: Vectors, since: float) -> None:
        if vectors and self._meaning is None:
            from feeds.stories.grouping.nearest import (
                NearestStories,  # numpy, where there are vectors
            )

            self._meaning = NearestStories(list(vectors.values()))
            self._threshold = THRESHOLD_WITH_MEANING
        if self._meaning is not None:
            self._meaning.look(vectors, since)

    def _assign(self, document: Document) -> "Assignment":
        vector = self._rarity.vector(document)
        story = self._same(document) or self._best(document, vector)
        if story is None:
            self._add(document, vector, document.id)
            return Assignment(document.id)
        copied = self._copied(story, document, vector)
        self._add(document, vector, story.id)
        return Assignment(story.id, copied)

    def forget_before(self, time: float) -> None:
        """Drop the stories whose last telling is older."""
        gone = [story for story in self._stories.values() if story.end < time]
        for story in gone:
            del self._stories[story.id]
        if gone:
            self._forget_postings()
            if self._meaning is not None:
                self._meaning.forget([story.id for story in gone])
            self._by_url = {k: v for k, v in self._by_url.items() if v in self._stories}
            self._by_title = {k: v for k, v in self._by_title.items() if v in self._stories}

    def _forget_postings(self) -> None:
        """All at once when a tenth is of stories that are gone; until then they are skipped."""
        if self._kept_in_postings < 1.1 * len(self._stories):
            return
        self._kept_in_postings = len(self._stories)
        for term, found in list(self._postings.items()):
            alive = _numbers([number for number in found if number in self._stories])
            if alive:
                self._postings[term] = alive
            else:
                del self._postings[term]

    def _same(self, document: Document) -> _Story | None:
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            story = self._stories.get(names.get(key, 0)) if key else None
            if story and _in_time(story, document) and document.source not in story.sources:
                return story
        return None

    def _best(self, document: Document, vector: dict[str, float]) -> _Story | None:
        best, most = None, self._threshold
        near = self._meaning.near(document.id) if self._meaning is not None else []
        for number in dict.fromkeys([*self._candidates(vector), *near]):
            story = self._stories[number]
            if not _in_time(story, document):
                continue
            like = self._likeness(document, vector, story) / needed(1, len(story.sources))
            if like > most or (like == most and best and story.id < best.id):
                best, most = story, like
        return best

    def _likeness(self, document: Document, vector: dict[str, float], story: _Story) -> float:
        like = _cosine(vector, story)
        if self._meaning is not None:
            meaning = self._meaning.cosine(document.id, story.id)
            if meaning is None:
                like = min(FROM_WORDS * like, 1.0)
            else:
                like = float(mixed(max(meaning, 0.0), like))
        away = max(story.start - document.time, document.time - story.end, 0.0)
        return like * _doubt(document, story) * float(fading(min(away / DAY, 1.0)))

    def _candidates(self, vector: dict[str, float]) -> list[int]:
        """The stories that share the most weight of rare terms."""
        lists = [
            (self._postings[term], weight)
            for term, weight in vector.items()
            if term in self._postings
        ]
        lists.sort(key=lambda one: len(one[0]))
        shared: dict[int, float] = {}
        room = _MOST_LOOKED_UP
        for found, weight in lists:
            room -= len(found)
            if room < 0:
                break
            square = weight * weight
            for number in found:
                shared[number] = shared.get(number, 0.0) + square
        alike = [
            (much, number)
            for number, much in shared.items()
            if much >= _LEAST_SHARED and number in self._stories
        ]
        return [number for _, number in heapq.nlargest(_MOST_CANDIDATES, alike)]

    def _copied(self, story: _Story, document: Document, vector: dict[str, float]) -> int | None:
        for other, theirs in story.recent:
            if other.source == document.source:
                continue
            if is_same_text(document, other) or _product(vector, theirs) >= COPY:
                return other.id
        return None

    def _add(self, document: Document, vector: dict[str, float], number: int) -> None:
        story = self._stories.get(number)
        if story is None:
            story = self._stories[number] = _Story(number, replace(document, terms={}))
            self._kept_in_postings += 1
        packed = _Packed(vector)
        story.square += 1 + 2 * _product(vector, story.total)
        known = story.total.terms if isinstance(story.total, _Packed) else story.total
        for term in vector.keys() - set(known):
            self._postings[term].append(number)
        story.total = _sum(story.total, vector) if story.recent else packed
        story.start, story.end = min(story.start, document.time), max(story.end, document.time)
        story.sources.add(document.source)
        kept = replace(document, terms={})  # the vector says the same, once weighted
        story.recent = [*story.recent[-_MOST_RECENT + 1 :], (kept, packed)]
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            if key:
                names[key] = number
        if self._meaning is not None:
            self._meaning.put(document.id, number, document.time)


def _in_time(story: _Story, document: Document) -> bool:
    return story.start - WINDOW <= document.time <= story.end + WINDOW


def _numbers(found: Sequence[int] = ()) -> "array[int]":
    return array("q", found)


def _sum(total: _Packed | dict[str, float], vector: dict[str, float]) -> dict[str, float]:
    sums = total.as_dict() if isinstance(total, _Packed) else total
    for term, weight in vector.items():
        sums[term] = sums.get(term, 0.0) + weight
    return sums


def _product(one: dict[str, float], other: _Packed | dict[str, float]) -> float:
    total = 0.0
    if isinstance(other, _Packed):  # loops, as nothing is called more often
        for term, weight in zip(other.terms, other.weights):  # noqa: B905
            if term in one:
                total += weight * one[term]
        return total
    for term, weight in one.items():
        if term in other:
            total += weight * other[term]
    return total


def _cosine(vector: dict[str, float], story: _Story) -> float:
    return _product(vector, story.total) / math.sqrt(story.square or 1.0)


def _doubt(document: Document, story: _Story) -> float:
    """The guards' factor against the story's nearest in kind: the last of the same source
    only where the story has no other source."""
    if story.sources == {document.source}:
        return doubt(document, story.first)
    others = (other for other, _ in story.recent if other.source != document.source)
    return doubt(document, next(others, story.first))
