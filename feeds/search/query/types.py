"""Types and limits that both search backends share."""

from typing import NamedTuple

CANDIDATES = 1_000
"""Maximum number of matches with all words that are ranked: the newest ones."""
ENOUGH = 50
"""If fewer items than this have all words, items with some of the words are added."""
MAX_PARTIAL = 200
"""Maximum number of results that have only some of the words."""
PARTIAL_CANDIDATES = 2_000
"""Maximum number of items with some of the words that are ranked at a time. The rarest words select
them."""
RECENT = 5_000
"""Number of the newest items in which words are counted, to estimate how rare they are."""
K1, B = 1.2, 0.75
"""Parameters of BM25: the saturation by repeated words, and the weight of the length."""
START, END = "\x02", "\x03"
"""Delimiters of a match in a text that is not escaped yet."""


class Match(NamedTuple):
    """An item that matches. A lower score is better."""

    id: int
    score: float


class Sample(NamedTuple):
    """The newest items that a reader may see, in which the search counts words.

    The sample holds the `size` newest of `total` items, whose ids start at `lowest`. A larger
    sample for rare words starts with the month of `lowest`: `month_size` items, whose ids start at
    `month_lowest`. `languages` are the codes of the sampled items and the visible sources.
    """

    lowest: int
    size: int
    month_lowest: int
    month_size: int
    total: int
    languages: tuple[str, ...]

    @property
    def is_all(self) -> bool:
        return self.size >= self.total
