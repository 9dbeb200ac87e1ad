"""Online grouping: assign each document to a story as it arrives. Pure.

Candidate stories share rare terms with the document or are near by embeddings. The document joins
the most similar one, or starts a new story. A Grouper stays in memory between calls.
"""

import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from feeds.core.ids import TAIL_BITS
from feeds.stories.grouping.similarity import (
    COPY,
    DAY,
    MAX_DOCUMENTS,
    TERMS_ONLY_FACTOR,
    THRESHOLD,
    THRESHOLD_WITH_VECTORS,
    WINDOW,
    combine,
    is_same_text,
    threshold_factor,
    time_decay,
)
from feeds.stories.grouping.story_vector import (
    PackedVector,
    ResidentStory,
    add_vectors,
    cosine,
    is_in_time,
    product,
    story_penalty,
)
from feeds.stories.grouping.tokenizer import Document, TfIdf

if TYPE_CHECKING:
    from feeds.stories.grouping.nearest import NearestStories

_MAX_LOOKED_UP = 500
"""Limit of stories that are looked up by the rarest terms of a document. More frequent terms find
no candidates, but they count in the similarity."""
_MAX_CANDIDATES = 8
_MIN_SHARED = 0.06
"""Least sum of the squared weights of the rare terms that a document shares with a candidate.
Documents have unit length, so 1 is all its terms. Two of a hundred words may be chance."""
_ROUNDING = 1e-12
"""More than a sum of squared weights can differ from another order of its terms."""
_BLOCK = 256
"""Documents whose nearest stories are found by one matrix product."""
_MAX_RECENT = 8
"""Latest documents of a story with which a new one is compared to detect copies."""


Vectors = Mapping[int, Any]
"""{document id: embedding, float32 [d] of unit length}"""
Excluded = Mapping[int, Collection[int]]
"""{document id: stories that it must not join}, because a person removed it from them."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """The result for one document: its story, and the id of the document that it copies, if any.

    A document that starts a story gives it its id.
    """

    story: int
    copy_of: int | None = None


class Grouper:
    """The stories of a time window, in memory.

    The grouper of an audience's private documents has other groupers above it, whose documents
    all its readers can see. Its documents may join stories of these groupers but never change
    them: such stories have an entry in `_guests` of this grouper, with the joined documents only.
    """

    def __init__(self) -> None:
        self._threshold = THRESHOLD
        self._vector_index: NearestStories | None = None
        self._tfidf = TfIdf()
        self._stories: dict[int, ResidentStory] = {}
        self._guests: dict[int, ResidentStory] = {}
        self._postings: defaultdict[str, list[int]] = defaultdict(list)
        self._stories_in_postings = 0
        self._dropped: set[int] = set()
        """Stories that were dropped, but are still in the postings."""
        self._by_url: dict[str, int] = {}
        self._by_title: dict[str, int] = {}
        self._layers: tuple[Grouper, ...] = (self,)
        self._excluded_stories: Excluded = {}

    def __len__(self) -> int:
        return len(self._stories)

    @property
    def documents(self) -> int:
        """The number of documents that were ever added."""
        return self._tfidf.documents

    def clear(self) -> None:
        """Free the memory at once. Groupers refer to themselves, so that only the garbage
        collector would."""
        for content in (self._stories, self._guests, self._postings, self._by_url, self._by_title):
            content.clear()
        self._tfidf = TfIdf()

    def set_layers_above(self, above: Sequence["Grouper"]) -> None:
        """Set the groupers whose stories the documents of this one may join."""
        self._layers = (self, *above)
        self._tfidf.above = tuple(grouper._tfidf for grouper in above)

    def accepts(self, vectors: Vectors) -> bool:
        """Whether these vectors have the same dimension as those in memory. They do not if the
        embedding model was replaced."""
        row = next(iter(vectors.values()), None)
        return row is None or self._vector_index is None or len(row) == self._vector_index.size

    def add_known(self, known: Sequence[tuple[Document, int]], vectors: Vectors) -> None:
        """Add documents whose story is known: pairs (document, story id)."""
        self._tfidf.add_all(document for document, _ in known)
        self._start_batch(vectors, math.inf)  # infinity: no candidates are needed
        for document, story in known:
            self._add(document, self._tfidf.vector(document), story)

    def assign_all(
        self,
        documents: Sequence[Document],
        vectors: Vectors | None = None,
        excluded: Excluded | None = None,
    ) -> dict[int, "Assignment"]:
        """Assign documents to stories: {document id: assignment}.

        The document frequencies include the whole batch before the first document is assigned.
        """
        self._excluded_stories = excluded or {}
        self._tfidf.add_all(documents)
        assignments = {}
        for start in range(0, len(documents), _BLOCK):
            block = documents[start : start + _BLOCK]
            known = {d.id: vectors[d.id] for d in block if vectors and d.id in vectors}
            self._start_batch(known, min(document.time for document in block) - WINDOW)
            assignments.update({document.id: self._assign(document) for document in block})
        return assignments

    def _start_batch(self, vectors: Vectors, since: float) -> None:
        """Start a batch in the vector indexes of all layers."""
        if vectors and self._vector_index is None:
            from feeds.stories.grouping.nearest import (
                NearestStories,  # imports numpy, which only vectors need
            )

            self._vector_index = NearestStories(list(vectors.values()))
        for layer in self._layers:
            if layer._vector_index is not None:
                layer._vector_index.start_batch(vectors if layer.accepts(vectors) else {}, since)
                self._threshold = THRESHOLD_WITH_VECTORS

    def _assign(self, document: Document) -> "Assignment":
        vector = self._tfidf.vector(document)
        story = self._find_same_text(document) or self._find_best(document, vector)
        if story is None:
            number = self._free_number(document.id)
            self._add(document, vector, number)
            return Assignment(number)
        copied = self._find_copied(story, document, vector)
        self._add(document, vector, story.id)
        return Assignment(story.id, copied)

    def _free_number(self, pk: int) -> int:
        """The id of a new story: the document's id, unless it must not join the story with that
        id."""
        if self._excluded_stories and pk in self._excluded_stories.get(pk, ()):
            pk ^= 1 << (TAIL_BITS - 1)
            while self._story(pk):
                pk += 1
        return pk

    def drop_before(self, time: float) -> None:
        """Drop the stories whose newest item is older than `time`, in seconds since 1970."""
        gone = [story for story in self._stories.values() if story.end < time]
        guests = [story for story in self._guests.values() if story.end < time]
        for story in gone:
            del self._stories[story.id]
        for story in guests:
            del self._guests[story.id]
        if gone:
            self._dropped.update(story.id for story in gone)
            self._clean_postings()
            if self._vector_index is not None:
                self._vector_index.remove([story.id for story in gone])
        if gone or guests:
            remaining = self._stories.keys() | self._guests.keys()
            self._by_url = {k: v for k, v in self._by_url.items() if v in remaining}
            self._by_title = {k: v for k, v in self._by_title.items() if v in remaining}

    def _clean_postings(self) -> None:
        """Remove dropped stories from the postings when they are a tenth of them. Until then,
        look-ups skip them."""
        if self._stories_in_postings < 1.1 * len(self._stories):
            return
        self._stories_in_postings = len(self._stories)
        dropped, self._dropped = self._dropped - self._stories.keys(), set()
        for term, posting in list(self._postings.items()):
            if dropped.isdisjoint(posting):
                continue
            if remaining := [number for number in posting if number not in dropped]:
                self._postings[term] = remaining
            else:
                del self._postings[term]

    def _find_same_text(self, document: Document) -> ResidentStory | None:
        """The story of a document with the same URL or title in another source."""
        for layer in self._layers:
            for names, key in (
                (layer._by_url, document.url),
                (layer._by_title, document.title_key),
            ):
                number = names.get(key, 0) if key else 0
                story = self._story(number) if number else None
                if story and self._can_be_copied_by(story, document):
                    return story
        return None

    def _story(self, number: int) -> ResidentStory | None:
        for layer in self._layers:
            if number in layer._stories:
                return layer._stories[number]
        return None

    def _can_be_copied_by(self, story: ResidentStory, document: Document) -> bool:
        guest = self._guests.get(story.id)
        return (
            is_in_time(story, document)
            and not self._is_full(story)
            and document.source not in story.sources
            and not (guest and document.source in guest.sources)
            and story.id not in self._excluded_stories.get(document.id, ())
        )

    def _find_best(self, document: Document, vector: dict[str, float]) -> ResidentStory | None:
        """The most similar story above the threshold."""
        best, most = None, self._threshold
        excluded = self._excluded_stories.get(document.id, ())
        for layer in self._layers:
            stories_near = (
                layer._vector_index.stories_near(document.id)
                if layer._vector_index is not None
                else []
            )
            for number in dict.fromkeys([*layer._candidates(vector), *stories_near]):
                story = layer._stories[number]
                if not is_in_time(story, document) or number in excluded or self._is_full(story):
                    continue
                similarity = self._similarity(document, vector, story, layer._vector_index)
                similarity /= threshold_factor(1, len(story.sources))
                is_tie = similarity == most and best is not None and story.id < best.id
                if similarity > most or is_tie:
                    best, most = story, similarity
        return best

    def _is_full(self, story: ResidentStory) -> bool:
        guest = self._guests.get(story.id)
        return story.size + (guest.size if guest else 0) >= MAX_DOCUMENTS

    def _similarity(
        self,
        document: Document,
        vector: dict[str, float],
        story: ResidentStory,
        vector_index: "NearestStories | None",
    ) -> float:
        similarity = cosine(vector, story)
        if self._threshold == THRESHOLD_WITH_VECTORS:
            by_vectors = (
                vector_index.cosine(document.id, story.id) if vector_index is not None else None
            )
            if by_vectors is None:
                similarity = min(TERMS_ONLY_FACTOR * similarity, 1.0)
            else:
                similarity = float(combine(max(by_vectors, 0.0), similarity))
        seconds = max(story.start - document.time, document.time - story.end, 0.0)
        return (
            similarity * story_penalty(document, story) * float(time_decay(min(seconds / DAY, 1.0)))
        )

    def _candidates(self, vector: dict[str, float]) -> list[int]:
        """The ids of the stories that share the most weight in rare terms."""
        if not self._stories:
            return []
        shared: dict[int, float] = {}
        lists = self._shortest_postings(vector)
        rest = sum(square for _, square, _ in lists)
        for _, square, posting in lists:
            if rest >= _MIN_SHARED:
                for number in posting:
                    shared[number] = shared.get(number, 0.0) + square
            else:  # a story that begins here cannot share enough
                for number in posting:
                    if number in shared:
                        shared[number] += square
            rest -= square - _ROUNDING
        candidates = [
            (weight, number)
            for number, weight in shared.items()
            if weight >= _MIN_SHARED and number in self._stories
        ]
        candidates.sort(reverse=True)  # faster than a heap, as there are some dozens
        return [number for _, number in candidates[:_MAX_CANDIDATES]]

    def _shortest_postings(self, vector: dict[str, float]) -> list[tuple[int, float, list[int]]]:
        """The postings of the rarest terms, as triples (length, squared weight, story ids)."""
        lists = [
            (len(posting), weight * weight, posting)
            for term, weight in vector.items()
            if (posting := self._postings.get(term))
        ]
        lists.sort(key=itemgetter(0))
        lookups_left = _MAX_LOOKED_UP
        for place, (length, _, _) in enumerate(lists):
            lookups_left -= length
            if lookups_left < 0:
                return lists[:place]
        return lists

    def _find_copied(
        self, story: ResidentStory, document: Document, vector: dict[str, float]
    ) -> int | None:
        """The id of the document that this one copies, None if it is no copy."""
        guest = self._guests.get(story.id)
        known = [*story.recent, *guest.recent] if guest else story.recent
        for other, other_vector in known:
            if other.source == document.source:
                continue
            if is_same_text(document, other) or product(vector, other_vector) >= COPY:
                return other.id
        return None

    def _add(self, document: Document, vector: dict[str, float], number: int) -> None:
        """Add a document to story `number`."""
        packed = PackedVector(vector)
        if len(self._layers) > 1 and any(number in layer._stories for layer in self._layers[1:]):
            story = self._guests.setdefault(number, ResidentStory(number, document))
        else:
            story = self._grow(document, vector, packed, number)
        story.start, story.end = min(story.start, document.time), max(story.end, document.time)
        story.sources.add(document.source)
        story.size += 1
        # The packed vector has the weighted terms.
        story.recent = [*story.recent[-_MAX_RECENT + 1 :], (document.without_terms(), packed)]
        for names, key in ((self._by_url, document.url), (self._by_title, document.title_key)):
            if key:
                names[key] = number

    def _grow(
        self, document: Document, vector: dict[str, float], packed: PackedVector, number: int
    ) -> ResidentStory:
        """Add the vector of a document to a story of this grouper, which is created if needed."""
        story = self._stories.get(number)
        if story is None:
            story = self._stories[number] = ResidentStory(number, document.without_terms())
            self._stories_in_postings += 1
        if story.recent:
            story.square += 1 + 2 * product(vector, story.total)
            known = story.total.terms if isinstance(story.total, PackedVector) else story.total
            new_terms = vector.keys() - set(known)
            story.total = add_vectors(story.total, vector)
        else:
            story.square, story.total = 1.0, packed
            new_terms = set(vector)
        for term in new_terms:
            self._postings[term].append(story.id)
        if self._vector_index is not None:
            self._vector_index.add(document.id, number, document.time)
        return story
