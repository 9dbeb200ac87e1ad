"""The sources of items and the terms of their headlines, cached in the process, for the ranking."""

import time
from collections.abc import Iterable, Sequence
from itertools import islice

from ainews_site.infra.process_state import resets_process_state
from feeds.models.narrow import fetch_by_id, loaded
from feeds.stories.ranking.data.batch import Learned
from feeds.stories.ranking.data.similarity import Row, terms_in
from feeds.stories.ranking.taste import Taste

MAX_KEPT = 50_000
"""Items in the cache, about 15 MB. The oldest entries are evicted first."""
FRESH = 3600.0
"""Seconds after which the cache is cleared. Until then, a corrected headline is not noticed."""

_cache: dict[int, Row] = {}
_expires_at = 0.0


def traits_of(items: Sequence[int]) -> list[Row]:
    """The terms of these items, b"" for a deleted one. Makes at most one query."""
    global _expires_at
    if time.monotonic() > _expires_at:
        _cache.clear()
        _expires_at = time.monotonic() + FRESH
    if missing := [pk for pk in items if pk not in _cache]:
        rows = fetch_by_id(
            "SELECT id, title, summary, topics FROM feeds_item WHERE {}", "id", missing
        )
        _cache.update(
            {pk: terms_in(title, text, loaded(topics)) for pk, title, text, topics in rows}
        )
    rows_of_items = [_cache.get(pk, b"") for pk in items]
    if len(_cache) > MAX_KEPT:
        for pk in list(_cache)[: len(_cache) - MAX_KEPT]:
            _cache.pop(pk, None)
    return rows_of_items


def preload_traits(items: Iterable[int]) -> None:
    """Read the terms of items that several rankings are about to need, by one query for all."""
    traits_of(list(islice(dict.fromkeys(items), MAX_KEPT // 2)))


@resets_process_state
def clear_traits() -> None:
    _cache.clear()


def learned_from(taste: Taste, moment: float) -> Learned:
    """What the likeness term learns from, at `moment` in seconds since 1970."""
    examples = [(a.item, w) for a, w in zip(taste.acts, taste.weights(moment), strict=True)]
    return Learned(examples, list(taste.shown), traits_of)
