"""The sources of items. They hardly ever change, so a process caches them for the ranking."""

import time
from collections.abc import Sequence

from ainews_site.infra.process_state import resets_process_state
from feeds.models.narrow import fetch_by_id

MAX_CACHED = 50_000
"""Items in the cache, about 5 MB."""
FRESH = 600.0
"""Seconds after which the cache is cleared. Until then, a source that took over the items of
another is not noticed."""

_cache: dict[int, int] = {}
_expires_at = 0.0


def sources_of(items: Sequence[int]) -> dict[int, int]:
    """{item: source}, without deleted items. Makes one query if there are any."""
    return dict(fetch_by_id("SELECT id, source_id FROM feeds_item WHERE {}", "id", items))


def cached_sources_of(items: Sequence[int]) -> dict[int, int]:
    """The same from the cache. Items that were deleted lately may be among them."""
    global _expires_at
    if time.monotonic() > _expires_at or len(_cache) > MAX_CACHED:
        _cache.clear()
        _expires_at = time.monotonic() + FRESH
    _cache.update(sources_of([pk for pk in items if pk not in _cache]))
    return {pk: _cache[pk] for pk in items if pk in _cache}


@resets_process_state
def clear_item_sources() -> None:
    _cache.clear()
