"""Remove what a source adds to its titles: its name, sections and series. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from feeds.trends.terms import terms_of

_PART = re.compile(r"\s*(?:[|·•»«:]|\s[–—-])\s+")
_MIN_SHARE = 0.2
_MIN_COUNT = 3
_MIN_TITLES = 8
"""With fewer titles, nothing is considered boilerplate."""


def strip_boilerplate(titles: Sequence[str], name: str = "") -> list[str]:
    """Return the titles of one source without recurring parts at their start or end, such as
    "Breaking: " or " - The Example Times". `name` is the name of the source."""
    own = name.casefold().strip()
    unwanted = recurring(titles)
    return [_strip(title, unwanted, own) for title in titles]


def recurring(titles: Sequence[str]) -> frozenset[str]:
    """The first and last parts, in lower case, that at least a fifth of the titles share."""
    if len(titles) < _MIN_TITLES:
        return frozenset()
    counts = Counter(part for title in titles for part in _ends(title))
    least = max(_MIN_COUNT, _MIN_SHARE * len(titles))
    return frozenset(part for part, count in counts.items() if count >= least)


def own_terms(name: str) -> frozenset[str]:
    """The terms of a source's own name. They are not counted in its titles."""
    return frozenset(terms_of(name))


def _ends(title: str) -> set[str]:
    parts = _PART.split(title)
    return {parts[0].casefold(), parts[-1].casefold()} if len(parts) > 1 else set()


def _strip(title: str, unwanted: Iterable[str], own: str) -> str:
    parts = _PART.split(title)
    kept = [part for part in parts if part.casefold() not in unwanted and part.casefold() != own]
    return " | ".join(kept) if len(kept) < len(parts) else title
