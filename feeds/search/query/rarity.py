"""Estimates how rare words are in a reader's items, and orders words by it. Pure."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import itemgetter
from typing import TypeVar

from feeds.search.query.types import Sample

T = TypeVar("T")

FEW = 20
"""A word in fewer items of the sample than this is counted in the larger sample of whole months, as
so small a count is no good estimate."""


def rarity(items: float, total: float) -> float:
    """Return BM25's inverse document frequency of a word that is in `items` of `total` items."""
    return math.log(1 + (max(total, items) - items + 0.5) / (items + 0.5))


def estimated(
    words: Sequence[T], sample: Sample, count: Callable[[Sequence[T], int], Mapping[T, int]]
) -> dict[T, float]:
    """Return {word: estimated number of items that contain it}.

    `count(words, lowest)` returns {word: number of items with an id of at least `lowest`}. It is
    called once or twice.
    """
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
    """Return the rarest words whose counts add up to at most `most`, or the rarest word alone.

    `counts` has the number of items of each word.
    """
    chosen: dict[T, float] = {}
    for word, count in sorted(counts.items(), key=itemgetter(1)):
        if chosen and sum(chosen.values()) + count > most:
            break
        chosen[word] = count
    return chosen


def batches(counts: Mapping[T, float], most: float) -> Iterator[dict[T, float]]:
    """Yield all words in batches as `rarest` returns them, the rarest first."""
    left = dict(counts)
    while left:
        batch = rarest(left, most)
        left = {word: count for word, count in left.items() if word not in batch}
        yield batch
