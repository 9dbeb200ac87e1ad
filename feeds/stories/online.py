"""Put each document into a story as it arrives: the best of the stories that share rare
words with it. Pure; the state stays in memory between calls."""

import heapq
import math
from collections import defaultdict
from dataclasses import dataclass, field, replace

from feeds.stories.likeness import COPY, THRESHOLD, WINDOW, doubt, is_same_text
from feeds.stories.words import Document, Rarity

_COMMON = 0.02
"""Terms that stand in a larger share of the documents find no candidates; they still count."""
_ALWAYS_RARE = 25
_MOST_CANDIDATES = 8
_LEAST_SHARED = 0.06
"""The part of a document's weight, squared, that must lie in rare terms it shares with a
story: two rare words of a hundred are chance."""
_MOST_RECENT = 8
"""Documents of a story that a new one is compared with, for copies."""


@dataclass(slots=True)
class _Story:
    id: int
    first: Document
    total: dict[str, float] = field(default_factory=dict)
    square: float = 0.0
    start: float = math.inf
    end: float = -math.inf
    sources: set[int] = field(default_factory=set)
    recent: list[tuple[Document, dict[str, float]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Assignment:
    """The story a document belongs to (its own id when it opens one), and the document
    that it is a copy of, if any."""

    story: int
    copy_of: int | None = None
    is_new: bool = False


class Grouper:
    """The stories of a window of time."""

    def __init__(self, threshold: float = THRESHOLD) -> None:
        self._threshold = threshold
        self._rarity = Rarity()
        self._stories: dict[int, _Story] = {}
        self._postings: defaultdict[str, set[int]] = defaultdict(set)
        self._by_url: dict[str, int] = {}
        self._by_title: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._stories)

    def learn(self, document: Document) -> None:
        """Count a document's terms before it is assigned, so that a batch knows itself."""
        self._rarity.add(document)

    def put(self, document: Document, story: int) -> None:
        """A document whose story is known."""
        self._add(document, self._rarity.vector(document), story)

    def assign(self, document: Document) -> Assignment:
        """Find the document's story, or open one."""
        vector = self._rarity.vector(document)
        story = self._same(document) or self._best(document, vector)
        if story is None:
            self._add(document, vector, document.id)
            return Assignment(document.id, is_new=True)
        copied = self._copied(story, document, vector)
        self._add(document, vector, story.id)
        return Assignment(story.id, copied)

    def forget_before(self, time: float) -> None:
        """Drop the stories whose last telling is older."""
        gone = [story for story in self._stories.values() if story.end < time]
        for story in gone:
            del self._stories[story.id]
            for term in story.total:
                self._postings[term].discard(story.id)
                if not self._postings[term]:
                    del self._postings[term]
        if gone:
            self._by_url = {k: v for k, v in self._by_url.items() if v in self._stories}
            self._by_title = {k: v for k, v in self._by_title.items() if v in self._stories}

    def _same(self, document: Document) -> _Story | None:
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            story = self._stories.get(names.get(key, 0)) if key else None
            if story and _in_time(story, document) and document.source not in story.sources:
                return story
        return None

    def _best(self, document: Document, vector: dict[str, float]) -> _Story | None:
        best, most = None, self._threshold
        for number in self._candidates(vector):
            story = self._stories[number]
            if not _in_time(story, document):
                continue
            like = _cosine(vector, story) * _doubt(document, story)
            if like > most or (like == most and best and story.id < best.id):
                best, most = story, like
        return best

    def _candidates(self, vector: dict[str, float]) -> list[int]:
        """The stories that share the most weight of rare terms."""
        limit = max(_ALWAYS_RARE, _COMMON * len(self._stories))
        shared: dict[int, float] = {}
        for term, weight in vector.items():
            found = self._postings.get(term)
            if found and len(found) <= limit:
                square = weight * weight
                for number in found:
                    shared[number] = shared.get(number, 0.0) + square
        alike = [(much, number) for number, much in shared.items() if much >= _LEAST_SHARED]
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
        story.square += 1 + 2 * _product(vector, story.total)
        for term in vector.keys() - story.total.keys():
            self._postings[term].add(number)
        story.total = _sum(story.total, vector)
        story.start, story.end = min(story.start, document.time), max(story.end, document.time)
        story.sources.add(document.source)
        kept = replace(document, terms={})  # the vector says the same, once weighted
        story.recent = [*story.recent[-_MOST_RECENT + 1 :], (kept, vector)]
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            if key:
                names[key] = number


def _in_time(story: _Story, document: Document) -> bool:
    return story.start - WINDOW <= document.time <= story.end + WINDOW


def _sum(total: dict[str, float], vector: dict[str, float]) -> dict[str, float]:
    """Most stories have one item: those share its vector instead of holding a copy."""
    if not total:
        return vector
    return total | {term: total.get(term, 0.0) + weight for term, weight in vector.items()}


def _product(one: dict[str, float], other: dict[str, float]) -> float:
    total = 0.0
    for term, weight in one.items():  # a loop, as nothing is called more often
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
