"""Which words of a query decide what is ranked: the rarest, within what may be read. Pure."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


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
