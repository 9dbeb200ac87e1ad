"""How rare words are among the items that a reader may see, and what follows from it. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from feeds.search.query.types import Sample

T = TypeVar("T")

FEW = 20
"""A word that is in fewer items of the sample is counted in whole months: so few say little of how
rare it is."""


def rarity(items: float, total: float) -> float:
    """The inverse document frequency of a word that is in so many of `total` items, as in BM25."""
    return math.log(1 + (max(total, items) - items + 0.5) / (items + 0.5))


def estimated(
    words: Sequence[T], sample: Sample, count: Callable[[Sequence[T], int], Mapping[T, int]]
) -> dict[T, float]:
    """About how many items each word is in. `count` returns how many of them have an id of at
    least its second argument."""
    if not words:
        return {}
    counts = count(words, sample.lowest)
    items = {word: number * _scale(sample.total, sample.size) for word, number in counts.items()}
    rare = [word for word, number in counts.items() if number < FEW]
    if rare and not sample.is_all:
        scale = _scale(sample.total, sample.month_size)
        counts = count(rare, sample.month_lowest)
        items |= {word: number * scale for word, number in counts.items()}
    return items


def _scale(total: int, size: int) -> float:
    return max(1.0, total / max(1, size))


def rarest(counts: Mapping[T, float], most: float) -> dict[T, float]:
    """The rarest words, as many as are together in at most `most` items, but one at least.
    `counts` are the items that each is in."""
    chosen: dict[T, float] = {}
    for word, count in sorted(counts.items(), key=lambda one: one[1]):
        if chosen and sum(chosen.values()) + count > most:
            break
        chosen[word] = count
    return chosen


def batches(counts: Mapping[T, float], most: float) -> Iterator[dict[T, float]]:
    """All words, the rarest first, each batch within `most` or one word."""
    left = dict(counts)
    while left:
        batch = rarest(left, most)
        left = {word: count for word, count in left.items() if word not in batch}
        yield batch
