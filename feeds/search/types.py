"""What the search's rooms hand each other."""

from typing import NamedTuple

CANDIDATES = 1_000
"""Ranked are the newest matches: a common word is in more than anybody reads."""
START, END = "\x02", "\x03"
"""Around a match in a text that is not escaped yet."""


class Match(NamedTuple):
    """An item that was found; a lower score is better."""

    id: int
    score: float
