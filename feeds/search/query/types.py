"""What the search's rooms hand each other."""

from typing import NamedTuple

CANDIDATES = 1_000
"""Ranked are the newest matches: a common word is in more than anybody reads."""
ENOUGH = 50
"""A page: items with some of the words are looked for where fewer have all of them."""
LOOSE = 200
"""The most of those that are shown: a weaker match than that helps nobody."""
LOOSE_CANDIDATES = 2_000
"""Of those with some of the words so many are ranked; which, is chosen by the rarest words."""
RECENT = 5_000
"""Among so many of the newest items it is counted how common a word is."""
K1, B = 1.2, 0.75
"""Of BM25: how soon more of the same word says nothing new, and how much length counts."""
START, END = "\x02", "\x03"
"""Around a match in a text that is not escaped yet."""


class Match(NamedTuple):
    """An item that was found; a lower score is better."""

    id: int
    score: float


class Sample(NamedTuple):
    """The newest items that a reader may see: `size` of `total`, from the id `lowest` on. From
    `month_lowest` on, where its first month begins, there are `month_size`. `languages` are those
    of the reader's news."""

    lowest: int
    size: int
    month_lowest: int
    month_size: int
    total: int
    languages: tuple[str, ...]

    @property
    def is_all(self) -> bool:
        return self.size >= self.total
