"""A story as grouping keeps it in memory, and how alike it and a document are. Pure."""

import math
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from feeds.stories.grouping.similarity import WINDOW, doubt
from feeds.stories.grouping.tokenizer import Document


@dataclass(slots=True)
class ResidentStory:
    """`total` is the sum of its documents' vectors, `square` the squared length of that;
    `recent` are the last documents with their vectors."""

    id: int
    first: Document
    total: "PackedVector | dict[str, float]" = field(default_factory=dict)
    square: float = 0.0
    start: float = math.inf
    end: float = -math.inf
    sources: set[int] = field(default_factory=set)
    recent: list[tuple[Document, "PackedVector"]] = field(default_factory=list)


class PackedVector:
    """A vector that is kept: a sixth of the memory of a dictionary, and most stories are one."""

    __slots__ = ("terms", "weights")

    def __init__(self, vector: Mapping[str, float]) -> None:
        self.terms = tuple(vector)
        self.weights = array("f", vector.values())

    def as_dict(self) -> dict[str, float]:
        return dict(zip(self.terms, self.weights, strict=True))


def is_in_time(story: ResidentStory, document: Document) -> bool:
    return story.start - WINDOW <= document.time <= story.end + WINDOW


def numbers(found: Sequence[int] = ()) -> "array[int]":
    return array("q", found)


def add_vectors(
    total: PackedVector | dict[str, float], vector: dict[str, float]
) -> dict[str, float]:
    sums = total.as_dict() if isinstance(total, PackedVector) else total
    for term, weight in vector.items():
        sums[term] = sums.get(term, 0.0) + weight
    return sums


def product(one: dict[str, float], other: PackedVector | dict[str, float]) -> float:
    total = 0.0
    if isinstance(other, PackedVector):  # loops, as nothing is called more often
        for term, weight in zip(other.terms, other.weights):  # noqa: B905
            if term in one:
                total += weight * one[term]
        return total
    for term, weight in one.items():
        if term in other:
            total += weight * other[term]
    return total


def cosine(vector: dict[str, float], story: ResidentStory) -> float:
    return product(vector, story.total) / math.sqrt(story.square or 1.0)


def doubt_of(document: Document, story: ResidentStory) -> float:
    """The guards' factor against the story's nearest in kind: the last of the same source
    only where the story has no other source."""
    if story.sources == {document.source}:
        return doubt(document, story.first)
    others = (other for other, _ in story.recent if other.source != document.source)
    return doubt(document, next(others, story.first))
