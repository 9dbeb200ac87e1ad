"""Put each document into a story as it arrives: the best of the stories that share rare
words with it. Pure; the state stays in memory between calls."""

import heapq
import math
from array import array
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from feeds.core.ids import TAIL_BITS
from feeds.stories.grouping.resident import (
    PackedVector,
    ResidentStory,
    add_vectors,
    cosine,
    doubt_of,
    is_in_time,
    numbers,
    product,
)
from feeds.stories.grouping.similarity import (
    COPY,
    DAY,
    FROM_WORDS,
    THRESHOLD,
    THRESHOLD_WITH_MEANING,
    WINDOW,
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
Barred = Mapping[int, Collection[int]]
"""By a document's id, the stories that it must not join."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The story a document belongs to (its own id when it opens one), and the document
    that it is a copy of, if any."""

    story: int
    copy_of: int | None = None


class Grouper:
    """The stories of a window of time.

    A grouper of private documents has others above it, of documents that all its readers may see
    too. Its documents join the stories of those, but never change them: what joins is kept here,
    as a guest.
    """

    def __init__(self) -> None:
        self._threshold = THRESHOLD
        self._meaning: NearestStories | None = None
        self._rarity = Rarity()
        self._stories: dict[int, ResidentStory] = {}
        self._guests: dict[int, ResidentStory] = {}
        self._postings: defaultdict[str, array[int]] = defaultdict(numbers)
        self._kept_in_postings = 0
        self._by_url: dict[str, int] = {}
        self._by_title: dict[str, int] = {}
        self._layers: tuple[Grouper, ...] = (self,)
        self._barred: Barred = {}

    def __len__(self) -> int:
        return len(self._stories)

    @property
    def documents(self) -> int:
        """How many it was ever given."""
        return self._rarity.documents

    def stand_below(self, above: Sequence["Grouper"]) -> None:
        """Let the documents of this one join the stories of those, which stay as they are."""
        self._layers = (self, *above)
        self._rarity.above = tuple(one._rarity for one in above)

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
        self,
        documents: Sequence[Document],
        vectors: Vectors | None = None,
        barred: Barred | None = None,
    ) -> dict[int, "Assignment"]:
        """Find each document's story, or open one; the batch knows itself beforehand.

        `vectors` gives, by a document's id, what it means: float32 [d] of unit length.
        """
        self._barred = barred or {}
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
        for layer in self._layers:
            if layer._meaning is not None:
                layer._meaning.look(vectors if layer.takes(vectors) else {}, since)
                self._threshold = THRESHOLD_WITH_MEANING

    def _assign(self, document: Document) -> "Assignment":
        vector = self._rarity.vector(document)
        story = self._same(document) or self._best(document, vector)
        if story is None:
            number = self._free_number(document.id)
            self._add(document, vector, number)
            return Assignment(number)
        copied = self._copied(story, document, vector)
        self._add(document, vector, story.id)
        return Assignment(story.id, copied)

    def _free_number(self, pk: int) -> int:
        """A new story is named after its document, unless the document was taken out of the story
        of that name."""
        if self._barred and pk in self._barred.get(pk, ()):
            pk ^= 1 << (TAIL_BITS - 1)
            while self._find(pk):
                pk += 1
        return pk

    def forget_before(self, time: float) -> None:
        """Drop the stories whose last telling is older."""
        gone = [story for story in self._stories.values() if story.end < time]
        guests = [story for story in self._guests.values() if story.end < time]
        for story in gone:
            del self._stories[story.id]
        for story in guests:
            del self._guests[story.id]
        if gone:
            self._forget_postings()
            if self._meaning is not None:
                self._meaning.forget([story.id for story in gone])
        if gone or guests:
            kept = self._stories.keys() | self._guests.keys()
            self._by_url = {k: v for k, v in self._by_url.items() if v in kept}
            self._by_title = {k: v for k, v in self._by_title.items() if v in kept}

    def _forget_postings(self) -> None:
        """All at once when a tenth is of stories that are gone; until then they are skipped."""
        if self._kept_in_postings < 1.1 * len(self._stories):
            return
        self._kept_in_postings = len(self._stories)
        for term, found in list(self._postings.items()):
            alive = numbers([number for number in found if number in self._stories])
            if alive:
                self._postings[term] = alive
            else:
                del self._postings[term]

    def _same(self, document: Document) -> ResidentStory | None:
        for layer in self._layers:
            for names, key in (
                (layer._by_url, document.url),
                (layer._by_title, document.title_key),
            ):
                number = names.get(key, 0) if key else 0
                story = self._find(number) if number else None
                if story and self._may_be_the_same(story, document):
                    return story
        return None

    def _find(self, number: int) -> ResidentStory | None:
        for layer in self._layers:
            if number in layer._stories:
                return layer._stories[number]
        return None

    def _may_be_the_same(self, story: ResidentStory, document: Document) -> bool:
        guest = self._guests.get(story.id)
        return (
            is_in_time(story, document)
            and document.source not in story.sources
            and not (guest and document.source in guest.sources)
            and story.id not in self._barred.get(document.id, ())
        )

    def _best(self, document: Document, vector: dict[str, float]) -> ResidentStory | None:
        best, most = None, self._threshold
        barred = self._barred.get(document.id, ())
        for layer in self._layers:
            near = layer._meaning.near(document.id) if layer._meaning is not None else []
            for number in dict.fromkeys([*layer._candidates(vector), *near]):
                story = layer._stories[number]
                if not is_in_time(story, document) or number in barred:
                    continue
                like = self._likeness(document, vector, story, layer._meaning)
                like /= needed(1, len(story.sources))
                if like > most or (like == most and best and story.id < best.id):
                    best, most = story, like
        return best

    def _likeness(
        self,
        document: Document,
        vector: dict[str, float],
        story: ResidentStory,
        meanings: "NearestStories | None",
    ) -> float:
        like = cosine(vector, story)
        if self._threshold == THRESHOLD_WITH_MEANING:
            meaning = meanings.cosine(document.id, story.id) if meanings is not None else None
            if meaning is None:
                like = min(FROM_WORDS * like, 1.0)
            else:
                like = float(mixed(max(meaning, 0.0), like))
        away = max(story.start - document.time, document.time - story.end, 0.0)
        return like * doubt_of(document, story) * float(fading(min(away / DAY, 1.0)))

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

    def _copied(
        self, story: ResidentStory, document: Document, vector: dict[str, float]
    ) -> int | None:
        guest = self._guests.get(story.id)
        known = [*story.recent, *guest.recent] if guest else story.recent
        for other, theirs in known:
            if other.source == document.source:
                continue
            if is_same_text(document, other) or product(vector, theirs) >= COPY:
                return other.id
        return None

    def _add(self, document: Document, vector: dict[str, float], number: int) -> None:
        packed = PackedVector(vector)
        if len(self._layers) > 1 and any(number in one._stories for one in self._layers[1:]):
            story = self._guests.setdefault(number, ResidentStory(number, document))
        else:
            story = self._grow(document, vector, packed, number)
        story.start, story.end = min(story.start, document.time), max(story.end, document.time)
        story.sources.add(document.source)
        kept = replace(document, terms={})  # the vector says the same, once weighted
        story.recent = [*story.recent[-_MOST_RECENT + 1 :], (kept, packed)]
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            if key:
                names[key] = number

    def _grow(
        self, document: Document, vector: dict[str, float], packed: PackedVector, number: int
    ) -> ResidentStory:
        """A story of its own with the vector of a document added."""
        story = self._stories.get(number)
        if story is None:
            story = self._stories[number] = ResidentStory(number, replace(document, terms={}))
            self._kept_in_postings += 1
        story.square += 1 + 2 * product(vector, story.total)
        known = story.total.terms if isinstance(story.total, PackedVector) else story.total
        for term in vector.keys() - set(known):
            self._postings[term].append(number)
        story.total = add_vectors(story.total, vector) if story.recent else packed
        if self._meaning is not None:
            self._meaning.put(document.id, number, document.time)
        return story
