"""What a source writes around all its titles: its own name, its sections, its series. Pure."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from feeds.trends.terms import terms_of

_PART = re.compile(r"\s*(?:[|·•»«:]|\s[–—-])\s+")
_OFTEN = 0.2
_FEWEST = 3
_TITLES = 8
"""A source with fewer titles has not said anything often."""


def strip(titles: Sequence[str], name: str = "") -> list[str]:
    """The titles of one source without the parts that many of them begin or end with:
    "Breaking: ", "Weekly roundup | ", " - The Example Times"."""
    own = name.casefold().strip()
    unwanted = recurring(titles)
    return [_strip(title, unwanted, own) for title in titles]


def recurring(titles: Sequence[str]) -> frozenset[str]:
    """The first and last parts, in lower case, that at least a fifth of the titles have."""
    if len(titles) < _TITLES:
        return frozenset()
    counts = Counter(part for title in titles for part in _ends(title))
    least = max(_FEWEST, _OFTEN * len(titles))
    return frozenset(part for part, count in counts.items() if count >= least)


def own_terms(name: str) -> frozenset[str]:
    """The keys that a source's name consists of: it does not report on itself."""
    return frozenset(terms_of(name))


def _ends(title: str) -> set[str]:
    parts = _PART.split(title)
    return {parts[0].casefold(), parts[-1].casefold()} if len(parts) > 1 else set()


def _strip(title: str, unwanted: Iterable[str], own: str) -> str:
    parts = _PART.split(title)
    kept = [part for part in parts if part.casefold() not in unwanted and part.casefold() != own]
    return " | ".join(kept) if len(kept) < len(parts) else title
