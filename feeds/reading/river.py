"""The river: all items of a reader's sources, newest first.

However large the table, a page costs the same: the index of source and time is walked
back from now, day by day, until the page is full.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from feeds.ids import lowest_id
from feeds.models import Item, ItemState
from feeds.reading.filters import Filters
from feeds.reading.sources import Followed, followed_sources

PAGE = 50
MOST = 200
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEWEST_ID = 1 << 62
_WIDEST = timedelta(days=400)
_TRIES = 8
"""Walks down the river for a page, when filters leave little of what is read."""


def river(
    user: User, filters: Filters, before_id: int | None = None, limit: int = PAGE
) -> list[Item]:
    """A page of items older than `before_id`, newest first.

    Each has its source, and the reader's state as `is_read`, `is_saved` and
    `source_title`. The number of queries does not depend on the number of items.
    """
    limit = max(1, min(limit, MOST))
    followed = followed_sources(user, folder_id=filters.folder_id, source_id=filters.source_id)
    if filters.saved:
        return _with_states(user, _saved(user, filters, before_id, limit), followed)
    found: list[Item] = []
    before, wanted = before_id or _NEWEST_ID, limit
    for _ in range(_TRIES):
        ids = _newest(user, followed, filters.unread, before, wanted)
        items = _with_states(user, _items(ids), followed)
        found += [item for item in items if _fits(item, filters)]
        if len(ids) < wanted or len(found) >= limit:
            break
        before, wanted = ids[-1], min(wanted * 4, 4 * MOST)
    return found[:limit]


def _fits(item: Item, filters: Filters) -> bool:
    if item.is_hidden or (filters.unread and item.is_read):  # type: ignore[attr-defined]
        return False
    return not filters.topic or filters.topic in item.topics


def _newest(
    user: User, followed: Iterable[int], unread: bool, before: int, limit: int
) -> list[int]:
    """The newest `limit` ids before an id, of the reader's subscriptions in `followed`.

    One query walks back through windows of time, each four times the one before, and
    stops when it has enough: a busy reader's page comes from the last day, and three
    quiet sources cost a few steps in the index, whatever else the table holds.
    """
    lowest = _lowest(settings.UNREAD_HORIZON_DAYS) if unread else 0
    top = min(before, lowest_id(timezone.now() + DAY))
    arms: list[str] = []
    parameters: list[int | str] = []
    for high, low in _windows(top, lowest):
        arms.append(f"SELECT id FROM ({_window_query(unread)}) AS days")  # noqa: S608 - no input
        parameters += [user.pk, json.dumps(sorted(followed)), high, low, limit]
    if not arms:
        return []
    with connection.cursor() as cursor:
        cursor.execute(f"{' UNION ALL '.join(arms)} LIMIT %s", [*parameters, limit])
        return [row[0] for row in cursor.fetchall()]


def _window_query(unread: bool) -> str:
    beyond = " AND i.seq > s.read_up_to" if unread else ""
    chosen = {
        "postgresql": "s.source_id IN (SELECT value::bigint FROM jsonb_array_elements(%s))",
        "sqlite": "s.source_id IN (SELECT value FROM json_each(%s))",
    }[connection.vendor]
    return (
        "SELECT i.id FROM feeds_subscription s CROSS JOIN feeds_item i"  # noqa: S608 - no input
        f" WHERE s.user_id = %s AND {chosen} AND i.source_id = s.source_id{beyond}"
        " AND i.id < %s AND i.id >= %s ORDER BY i.id DESC LIMIT %s"
    )


def _windows(top: int, lowest: int) -> Iterator[tuple[int, int]]:
    """(high, low) ids from `top` down to `lowest`, each window four times the last."""
    width, high = lowest_id(EPOCH + DAY), top
    while high > lowest:
        is_last = width > lowest_id(EPOCH + _WIDEST)
        low = lowest if is_last else max(high - width, lowest)
        yield high, low
        high, width = low, width * 4


def _lowest(days: int) -> int:
    return lowest_id(timezone.now() - timedelta(days=days))


def _saved(user: User, filters: Filters, before_id: int | None, limit: int) -> list[Item]:
    """Saved items, whether their source is still followed or not."""
    states = ItemState.objects.filter(user=user, is_saved=True)
    if before_id:
        states = states.filter(item__lt=before_id)
    if filters.source_id is not None:
        states = states.filter(item__source=filters.source_id)
    if filters.folder_id is not None:
        sources = followed_sources(user, folder_id=filters.folder_id)
        states = states.filter(item__source__in=list(sources))
    ids = states.order_by("-item").values_list("item", flat=True)
    items = _items(list(ids[: limit * 4 if filters.topic or filters.unread else limit]))
    return [item for item in items if not filters.topic or filters.topic in item.topics][:limit]


def _items(ids: Iterable[int]) -> list[Item]:
    items = Item.objects.filter(pk__in=list(ids)).select_related("source", "story")
    return list(items.newest_first())


def _with_states(user: User, items: list[Item], followed: dict[int, Followed]) -> list[Item]:
    return attach_states(user, items, {pk: one.read_up_to for pk, one in followed.items()})


def attach_states(
    user: User, items: Sequence[Item], marks: dict[int, int] | None = None
) -> list[Item]:
    """The items with `is_read`, `is_saved`, `is_hidden`; `marks` is read_up_to by source."""
    items = list(items)
    if marks is None:
        sources = {item.source_id for item in items}
        rows = user.subscriptions.filter(source__in=sources)
        marks = dict(rows.values_list("source_id", "read_up_to"))
    states = {
        state.item_id: state
        for state in ItemState.objects.filter(user=user, item__in=[item.pk for item in items])
    }
    border = _lowest(settings.UNREAD_HORIZON_DAYS)
    for item in items:
        state = states.get(item.pk)
        by_mark = item.seq <= marks.get(item.source_id, 0) or item.pk < border
        explicit = state.is_read if state else None
        item.is_read = by_mark if explicit is None else explicit  # type: ignore[attr-defined]
        item.is_saved = bool(state and state.is_saved)  # type: ignore[attr-defined]
        item.is_hidden = bool(state and state.is_hidden)  # type: ignore[attr-defined]
    return items


def get_item(user: User, pk: int) -> Item:
    """One item with its body and the reader's state. Item.DoesNotExist when it is not
    visible to the reader; what they saved stays visible."""
    visible = Item.objects.visible_to(user) | Item.objects.filter(
        pk__in=ItemState.objects.filter(user=user, item=pk, is_saved=True).values("item")
    )
    item = visible.select_related("source", "body", "story").get(pk=pk)
    return attach_states(user, [item])[0]


def neighbours(user: User, pk: int) -> tuple[int | None, int | None]:
    """(newer, older): the ids of the items next to this one in the whole river."""
    followed = followed_sources(user)
    older = _newest(user, followed, False, pk, 1)
    newer = (
        Item.objects.filter(source__in=list(followed), pk__gt=pk)
        .order_by("pk")
        .values_list("pk", flat=True)[:1]
    )
    return next(iter(newer), None), next(iter(older), None)
