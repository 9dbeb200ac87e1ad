"""How rare words are among the items that a reader may see, and what follows from it. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from feeds.search.query.types import Sample

T = TypeVar("T")

FEW = 20
"""A word that is in fewer items of the sample is counted in all items: so few say little of how
rare it is."""
MOST_COUNTED = 2_000
"""Items at which that count stops."""


def rarity(items: float, total: float) -> float:
    """The inverse document frequency of a word that is in so many of `total` items, as in BM25."""
    return math.log(1 + (max(total, items) - items + 0.5) / (items + 0.5))


def estimated(
    recent: Mapping[T, int], sample: Sample, count_all: Callable[[Sequence[T]], Mapping[T, int]]
) -> dict[T, float]:
    """About how many items each word is in. `recent` are its items in the sample; `count_all`
    counts those of the whole library, `MOST_COUNTED` of each at most."""
    scale = max(1.0, sample.total / max(1, sample.size))
    items = {word: count * scale for word, count in recent.items()}
    if sample.is_all:
        return items
    rare = [word for word, count in recent.items() if count < FEW]
    for word, count in count_all(rare).items() if rare else ():
        items[word] = count if count < MOST_COUNTED else max(count, items[word])
    return items


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
