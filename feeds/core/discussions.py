"""Tells sites where people discuss what others published from those that publish. Pure."""

from functools import lru_cache
from urllib.parse import urlsplit

HOSTS = (
    "news.ycombinator.com",
    "hnrss.org",
    "reddit.com",
    "lobste.rs",
    "tildes.net",
    "lemmy.world",
    "lemmy.ml",
    "slashdot.org",
)
MAX_CACHED = 8_192


@lru_cache(MAX_CACHED)
def is_discussion(url: str) -> bool:
    """Whether the address is of a discussion site, such as Hacker News or Reddit."""
    try:
        host = (urlsplit(url).hostname or "").lower()
    except ValueError:
        return False
    return any(host == name or host.endswith(f".{name}") for name in HOSTS)
