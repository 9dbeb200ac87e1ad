"""The items of the windows of editions, read together for all readers who share them."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from itertools import chain
from typing import NamedTuple

from django.db.models import Q

from digests.editions.plan import Plan
from digests.editions.window import LATE, Window
from feeds.core.ids import lowest_id
from feeds.models import Item, ItemState
from feeds.models.narrow import AT_ONCE, ITEM_COLUMNS, fetch_by_id, narrow_items
from feeds.stories.coverage import settle_copies

MAX_SHARED = 2 * AT_ONCE
"""Items of all readers together that are read at once, about 50 MB. If there are more, the readers
are divided."""
MAX_ARRIVALS = 10 * MAX_SHARED
"""Ids and times of items that are read at once to find those of several readers, about 60 MB. One
reader with a long window would otherwise make them many for all."""
SOURCE_COLUMNS = ("id", "url", "title", "site_url", "weight")
STORY_COLUMNS = ("id", "title", "lead_id", "title_pinned")
_ORIGINALS = (
    "SELECT i.id, i.source_id, c.is_public FROM feeds_item i"
    " JOIN feeds_source c ON c.id = i.source_id WHERE {}"
)


class _Arrival(NamedTuple):
    pk: int
    source: int
    published: datetime
    fetched: datetime

    def is_within(self, window: Window) -> bool:
        start, end = window.start, window.end
        return start <= self.published < end or start <= self.fetched < end


class Part(NamedTuple):
    """Plans whose items are read together, and the ids of the items of each plan, in order."""

    plans: Sequence[Plan]
    ids: Sequence[Sequence[int]]


def parts_of(plans: Sequence[Plan]) -> Iterator[Part]:
    """Halve plans until each part has few enough items, or is a single plan.

    The ids of a part are read when it is its turn. A caller who drops the items of each part before
    the next bounds the memory.
    """
    ids = _ids(plans)
    if ids is not None:
        yield Part(plans, ids)
        return
    middle = len(plans) // 2
    yield from parts_of(plans[:middle])
    yield from parts_of(plans[middle:])


def window_items(part: Part) -> list[list[Item]]:
    """The items of each plan that were published or fetched in its window, by its sources.

    Items older than LATE and items that the reader has hidden are left out. Readers of the same
    item share its row, except for a copy, because copies are settled for each reader.
    """
    shared = _read(chain.from_iterable(part.ids))
    rows = [[shared[pk] for pk in own if pk in shared] for own in part.ids]
    items = [[copy(item) if item.copy_of else item for item in own] for own in rows]
    for own, seen in zip(items, _visible_originals(part.plans, items), strict=True):
        settle_copies(own, Item.objects.none, seen)
    return items


def _ids(plans: Sequence[Plan]) -> list[list[int]] | None:
    """The ids of the items of each plan, in order; None if several plans have too many."""
    arrivals = _arrivals(plans)
    if len(plans) > 1 and len(arrivals) > MAX_ARRIVALS:
        return None
    by_source: defaultdict[int, list[_Arrival]] = defaultdict(list)
    for arrival in arrivals:
        by_source[arrival.source].append(arrival)
    hidden = _hidden(plans)
    ids = [_ids_of(plan, by_source, hidden) for plan in plans]
    if len(plans) > 1 and len(set(chain.from_iterable(ids))) > MAX_SHARED:
        return None
    return ids


def _ids_of(
    plan: Plan, by_source: Mapping[int, list[_Arrival]], hidden: set[tuple[int | None, int]]
) -> list[int]:
    low, high = _bounds(plan.window)
    return sorted(
        arrival.pk
        for source in plan.levels.keys() & by_source.keys()
        for arrival in by_source[source]
        if low <= arrival.pk < high
        and arrival.is_within(plan.window)
        and (plan.request.user_id, arrival.pk) not in hidden
    )


def _bounds(window: Window) -> tuple[int, int]:
    """The range of ids of the window's items, which PostgreSQL finds in one or two partitions."""
    return lowest_id(window.start - LATE), lowest_id(window.end)


def _arrivals(plans: Sequence[Plan]) -> list[_Arrival]:
    """The items with a story of all windows, by sources of any plan. Of several plans, those beyond
    MAX_ARRIVALS are left out but for the first, which shows that there are more."""
    sources = {source for plan in plans for source in plan.levels}
    if not sources:
        return []
    whole = _whole(plans)
    low, high = _bounds(whole)
    rows = Item.objects.filter(
        Q(published_at__gte=whole.start, published_at__lt=whole.end)
        | Q(fetched_at__gte=whole.start, fetched_at__lt=whole.end),
        id__gte=low,
        id__lt=high,
        story__isnull=False,
    )
    if len(sources) <= AT_ONCE:
        rows = rows.filter(source__in=sources)
    chosen = rows.order_by().values_list("pk", "source_id", "published_at", "fetched_at")
    most = MAX_ARRIVALS + 1 if len(plans) > 1 else None
    return [_Arrival(*row) for row in chosen[:most]]


def _whole(plans: Sequence[Plan]) -> Window:
    windows = [plan.window for plan in plans]
    return Window(min(w.start for w in windows), max(w.end for w in windows))


def _hidden(plans: Sequence[Plan]) -> set[tuple[int | None, int]]:
    """Pairs (reader, item that they have hidden)."""
    users = [plan.request.user_id for plan in plans if plan.user]
    if not users:
        return set()
    low, high = _bounds(_whole(plans))
    rows = ItemState.objects.filter(user__in=users, is_hidden=True)
    rows = rows.filter(item__gte=low, item__lt=high)
    return set(rows.values_list("user_id", "item_id"))


def _read(ids: Iterable[int]) -> dict[int, Item]:
    """These items with the columns of their sources and stories that editions use. A queryset
    would make three full rows of each item."""
    return narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, ids, STORY_COLUMNS)


def _visible_originals(
    plans: Sequence[Plan], items: Sequence[Collection[Item]]
) -> list[Collection[int]]:
    """The originals of each plan's copies that its reader may see, by one query."""
    wanted = {item.copy_of for own in items for item in own if item.copy_of}
    rows = fetch_by_id(_ORIGINALS, "i.id", wanted) if wanted else []
    return [
        {pk for pk, source, is_public in rows if source in plan.levels or (is_public and plan.user)}
        for plan in plans
    ]
