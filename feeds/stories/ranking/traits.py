"""The terms of items' headlines, split once a process: what likeness compares."""

import time
from collections.abc import Sequence

from ainews_site.infra.process_state import resets_process_state
from feeds.models import Item
from feeds.stories.ranking.data.batch import Learned
from feeds.stories.ranking.data.similarity import Row, terms_in
from feeds.stories.ranking.taste import Taste

MOST_KEPT = 50_000
"""Some 10 MB; the oldest go first."""
FRESH = 3600.0
"""Seconds after which all are read anew: until then a corrected headline is compared by the
words that it had."""

_kept: dict[int, Row] = {}
_until = 0.0


def traits_of(items: Sequence[int]) -> list[Row]:
    """The terms of these items, those not known by now in one query; none of one that is gone."""
    global _until
    if time.monotonic() > _until:
        _kept.clear()
        _until = time.monotonic() + FRESH
    if missing := [pk for pk in items if pk not in _kept]:
        rows = Item.objects.filter(pk__in=missing).values_list("id", "title", "summary", "topics")
        _kept.update({pk: terms_in(title, text, topics) for pk, title, text, topics in rows})
    found = [_kept.get(pk, b"") for pk in items]
    for pk in list(_kept)[: max(0, len(_kept) - MOST_KEPT)]:
        _kept.pop(pk, None)
    return found


@resets_process_state
def forget_traits() -> None:
    _kept.clear()


def learned_from(taste: Taste, moment: float) -> Learned:
    """What likeness by `moment`, in seconds since 1970, comes from."""
    examples = [(a.item, w) for a, w in zip(taste.acts, taste.weights(moment), strict=True)]
    return Learned(examples, list(taste.shown), traits_of)
