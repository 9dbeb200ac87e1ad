# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The sources of items and the terms of their headlines, cached in the process, for the ranking."""

import time
from collections.abc import Sequence

from ainews_site.infra.process_state import resets_process_state
from feeds.models.narrow import among, fetch, loaded
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
        is_missing, values = among("id", missing)
        rows = fetch(
            f"SELECT id, title, summary, topics FROM feeds_item WHERE {is_missing}", values
        )
        _cache.update(
            {pk: terms_in(title, text, loaded(topics)) for pk, title, text, topics in rows}
        )
    rows_of_items = [_cache.get(pk, b"") for pk in items]
    if len(_cache) > MAX_KEPT:
        for pk in list(_cache)[: len(_cache) - MAX_KEPT]:
            _cache.pop(pk, None)
    return rows_of_items


@resets_process_state
def clear_traits() -> None:
    _cache.clear()


def learned_from(taste: Taste, moment: float) -> Learned:
    """What the likeness term learns from, at `moment` in seconds since 1970."""
    examples = [(a.item, w) for a, w in zip(taste.acts, taste.weights(moment), strict=True)]
    return Learned(examples, list(taste.shown), traits_of)
