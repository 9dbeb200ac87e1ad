"""What the keys of cached values stand for, as a label of few values."""

from ainews_site.infra.metrics import CACHE_REQUESTS, OTHER

KINDS = frozenset(
    {
        "candidates",
        "digest",
        "matches",
        "page",
        "rail-newest",
        "rail-of-trends",
        "reader-taste",
        "search-sample",
        "search-words",
        "source-bars",
        "story-items",
        "story-related",
        "story-summary",
        "unread",
    }
)
"""Beginnings of keys. What follows, such as the id of a reader, is no label."""


def kind_of(key: str) -> str:
    """Return the kind of a cached value by its key, or "other"."""
    parts = key.split("-", 3)
    for length in (1, 2, 3):
        kind = "-".join(parts[:length])
        if kind in KINDS:
            return kind
    return OTHER


def count_request(key: str, result: str) -> None:
    CACHE_REQUESTS.add(1, kind_of(key), result)
