"""The types by which an address rule is declared. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fnmatch import translate
from functools import cached_property
from urllib.parse import parse_qs, urlsplit


@dataclass(frozen=True)
class Address:
    """The parts of a canonical web address.

    `host` is without "www.", and `path` has the non-empty segments, which are not decoded.
    """

    url: str
    host: str
    path: tuple[str, ...]

    @cached_property
    def query(self) -> dict[str, str]:
        """The last value of each parameter, decoded."""
        return {name: values[-1] for name, values in parse_qs(urlsplit(self.url).query).items()}


def split_address(url: str) -> Address | None:
    """Return the parts of `url`, or None if it has no host."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.")
    except ValueError:
        return None
    segments = tuple(part for part in parts.path.split("/") if part)
    return Address(url, host, segments) if host else None


@dataclass(frozen=True)
class AddressRule:
    """Knows where a site keeps the feeds of its pages.

    `hosts` are host names without "www.", in which "*" stands for anything: "*.example.org".
    `feeds` returns the addresses of the feeds of a page, best first, and nothing for other pages
    and for feeds. It must not look anything up. `examples` are pairs of a page and its best feed.
    """

    name: str
    hosts: tuple[str, ...]
    feeds: Callable[[Address], Sequence[str]]
    examples: tuple[tuple[str, str], ...]

    def applies_to(self, host: str) -> bool:
        """Return True if `host`, without "www.", matches one of `hosts`."""
        return self._pattern.match(host) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str]:
        return re.compile("|".join(map(translate, self.hosts)))


FEED_ENDINGS = (".atom", ".rss", ".xml", ".json", "/feed", "/rss")


def is_feed(address: Address) -> bool:
    """Return True if the path looks like that of a feed."""
    return ("/" + "/".join(address.path)).lower().endswith(FEED_ENDINGS)
