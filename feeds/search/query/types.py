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
START, END = "\x02", "\x03"
"""Around a match in a text that is not escaped yet."""


class Match(NamedTuple):
    """An item that was found; a lower score is better."""

    id: int
    score: float
