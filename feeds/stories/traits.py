"""The terms of items' headlines, split once a process: what likeness compares."""

from collections.abc import Sequence

from feeds.models import Item
from feeds.stories.alike import Row, terms_in

MOST_KEPT = 50_000
"""Some 10 MB; the oldest go first."""

_kept: dict[int, Row] = {}
_revision = 0


def traits_of(items: Sequence[int], revision: int) -> list[Row]:
    """The terms of these items, those not known by now in one query; none of one that is gone.

    `revision` is that of the contents: with another one, all are read anew.
    """
    global _revision
    if revision != _revision:
        _kept.clear()
        _revision = revision
    if missing := [pk for pk in items if pk not in _kept]:
        rows = Item.objects.filter(pk__in=missing).values_list("id", "title", "summary", "topics")
        _kept.update({pk: terms_in(title, text, topics) for pk, title, text, topics in rows})
    found = [_kept.get(pk, b"") for pk in items]
    for pk in list(_kept)[: max(0, len(_kept) - MOST_KEPT)]:
        _kept.pop(pk, None)
    return found
