"""A story as grouping keeps it in memory, and its similarity to a document. Pure."""

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field

from feeds.stories.grouping.similarity import WINDOW, penalty
from feeds.stories.grouping.tokenizer import Document


@dataclass(slots=True)
class ResidentStory:
    """A story in memory.

    `total` is the sum of the term vectors of its documents, `square` its squared length. `start`
    and `end` are the times of its documents in seconds since 1970, `size` is their number. `recent`
    are its last documents with their vectors.
    """

    id: int
    first: Document
    total: "PackedVector | dict[str, float]" = field(default_factory=dict)
    square: float = 0.0
    start: float = math.inf
    end: float = -math.inf
    sources: set[int] = field(default_factory=set)
    size: int = 0
    recent: list[tuple[Document, "PackedVector"]] = field(default_factory=list)


class PackedVector:
    """A term vector in a sixth of the memory of a dictionary. Most stories have one document."""

    __slots__ = ("terms", "weights")

    def __init__(self, vector: Mapping[str, float]) -> None:
        self.terms = tuple(vector)
        self.weights = array("f", vector.values())

    def as_dict(self) -> dict[str, float]:
        return dict(zip(self.terms, self.weights, strict=True))


def is_in_time(story: ResidentStory, document: Document) -> bool:
    """Whether the document was published near enough to the story to join it."""
    return story.start - WINDOW <= document.time <= story.end + WINDOW


def add_vectors(
    total: PackedVector | dict[str, float], vector: dict[str, float]
) -> dict[str, float]:
    """Add `vector` to `total`, which is changed in place if it is a dictionary."""
    sums = total.as_dict() if isinstance(total, PackedVector) else total
    for term, weight in vector.items():
        sums[term] = sums.get(term, 0.0) + weight
    return sums


def product(vector: dict[str, float], other: PackedVector | dict[str, float]) -> float:
    """The dot product. This is the hottest function of grouping, hence the plain loops."""
    total = 0.0
    if isinstance(other, PackedVector):
        for term, weight in zip(other.terms, other.weights):  # noqa: B905
            if term in vector:
                total += weight * vector[term]
        return total
    for term, weight in vector.items():
        if term in other:
            total += weight * other[term]
    return total


def cosine(vector: dict[str, float], story: ResidentStory) -> float:
    return product(vector, story.total) / math.sqrt(story.square or 1.0)


def story_penalty(document: Document, story: ResidentStory) -> float:
    """The penalty for a document and a story: that of the document and the story's last one from
    another source, or else the story's first."""
    if story.sources == {document.source}:
        return penalty(document, story.first)
    others = (other for other, _ in story.recent if other.source != document.source)
    return penalty(document, next(others, story.first))
