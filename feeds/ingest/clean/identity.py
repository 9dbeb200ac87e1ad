"""Decide which entry is which: the 64-bit keys of an entry and of its content. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b

_ENOUGH_TITLES = 3


def hash64(*parts: str) -> int:
    """Signed 64 bits of BLAKE2b over the parts, which fit a BIGINT column."""
    data = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


def guids_are_trustworthy(named: Iterable[tuple[str, str, str]]) -> bool:
    """Whether no guid of (guid, link, title) stands for several articles of the document.

    Several links under one guid give it away; so do three titles, since two are
    a headline and its correction.
    """
    links: defaultdict[str, set[str]] = defaultdict(set)
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for guid, link, title in named:
        if guid:
            links[guid].add(link)
            titles[guid].add(title)
    one_link = all(len(found - {""}) <= 1 for found in links.values())
    return one_link and all(len(found) < _ENOUGH_TITLES for found in titles.values())


def shared_links(named: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Links of (link, title) under which the document tells of several things.

    A changelog gives the address of its page for every entry.
    """
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for link, title in named:
        titles[link].add(title)
    return frozenset(link for link, found in titles.items() if link and len(found) > 1)
