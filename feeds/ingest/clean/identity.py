"""The identity of entries: 64-bit hashes, and checks of guids and links. Pure."""

from collections import defaultdict
from collections.abc import Iterable
from hashlib import blake2b

_ENOUGH_TITLES = 3


def hash64(*parts: str) -> int:
    """Return a signed 64-bit hash (BLAKE2b) of the parts, which fits a BIGINT column."""
    data = "\x1f".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big", signed=True)


def guids_are_trustworthy(entries: Iterable[tuple[str, str, str]]) -> bool:
    """Return True if no guid stands for several articles. Entries are (guid, link, title).

    A guid with several links does, and so does one with three titles. Two titles may be a headline
    and its correction.
    """
    links: defaultdict[str, set[str]] = defaultdict(set)
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for guid, link, title in entries:
        if guid:
            links[guid].add(link)
            titles[guid].add(title)
    one_link = all(len(urls - {""}) <= 1 for urls in links.values())
    return one_link and all(len(group) < _ENOUGH_TITLES for group in titles.values())


def shared_links(entries: Iterable[tuple[str, str]]) -> frozenset[str]:
    """Return the links that several entries with different titles share. Entries are (link, title).

    For example, all entries of a changelog may link to the same page.
    """
    titles: defaultdict[str, set[str]] = defaultdict(set)
    for link, title in entries:
        titles[link].add(title)
    return frozenset(link for link, group in titles.items() if link and len(group) > 1)
