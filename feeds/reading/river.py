# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The river: all items of a reader's sources, newest first.

The cost of a page does not depend on the size of the table: the index of source and id is scanned
backwards from now, in growing time windows, until the page is full.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from accounts.models import User
from ainews_site.infra.db_router import reading_connection
from feeds.core.ids import lowest_id
from feeds.models import Item
from feeds.models.narrow import ITEM_COLUMNS, SOURCE_COLUMNS, among, fetch, narrow_items
from feeds.reading.filters import Filters
from feeds.reading.sources import Followed, followed_sources
from feeds.stories.coverage import settle_copies
from feeds.stories.members import MAX_MEMBERS, members_of

PAGE = 50
MOST = 200
DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
STORY_COLUMNS = (
    *("id", "title", "lead_id", "first_at", "last_at", "item_count", "source_count"),
    *("copy_count", "title_pinned"),
)
NEWEST_ID = 1 << 62
NEAR = 2
"""Windows of the first query: five days."""
_WIDEST = timedelta(days=400)


def river(
    user: User,
    filters: Filters,
    before_id: int | None = None,
    limit: int = PAGE,
    followed: Mapping[int, Followed] | None = None,
) -> list[Item]:
    """Return a page of items with ids below `before_id`, newest first.

    Items have the attributes of `attach_states`, `source_title` (the reader's name for the
    source) and `tellers` (how many visible sources cover the story). The number of queries does
    not depend on the number of items. `followed` are all subscriptions, if they were read before.
    """
    limit = max(1, min(limit, MOST))
    is_all = filters.folder_id is None and filters.source_id is None
    if followed is None or not is_all:
        followed = followed_sources(user, folder_id=filters.folder_id, source_id=filters.source_id)
    before = before_id or NEWEST_ID
    find = marked_ids if filters.saved or filters.hidden else newest_ids
    ids = find(user, None if is_all else followed, filters, before, limit)
    items = _with_states(user, _items(ids), followed)
    is_public = is_all and all(source.is_public for source in followed.values())
    attach_source_counts(user, items, follows_private=not is_public)
    for item in items:
        own = followed.get(item.source_id)
        item.source_title = own.title if own else str(item.source)  # type: ignore[attr-defined]
    return items


def newest_ids(
    user: User, followed: Iterable[int] | None, filters: Filters, before: int, limit: int
) -> list[int]:
    """Return the newest `limit` ids below `before`, of the sources in `followed`, which the reader
    follows, or with None of all that they follow.

    Two queries at most scan time windows, each four times as long as the one before, and stop when
    they have enough rows. A busy reader's page comes from the last day, and a few quiet sources
    cost a few look-ups in the index.
    """
    horizon = unread_horizon()
    top = min(before, lowest_id(timezone.now() + DAY))
    conditions, values = _conditions(filters, horizon)
    windows = list(_windows(top, horizon if filters.unread else 0))
    among = [] if followed is None else [json.dumps(sorted(followed))]
    if among:
        conditions = f"{_among('s.source_id')} AND {conditions}"
    ids: list[int] = []
    # The first windows are a query of their own, because PostgreSQL would plan the others too,
    # with all their partitions.
    for part in (windows[:NEAR], windows[NEAR:]):
        arms, parameters = [], []
        for high, low in part if len(ids) < limit else ():
            arms.append(f"SELECT id FROM ({_window_query(conditions)}) AS days")
            parameters += [user.pk, *among, *values, high, low, limit]
        ids += _ids(" UNION ALL ".join(arms), parameters, limit - len(ids)) if arms else []
    return ids


def _window_query(conditions: str) -> str:
    return (
        "SELECT i.id FROM feeds_subscription s CROSS JOIN feeds_item i"
        " LEFT JOIN feeds_itemstate t ON t.user_id = s.user_id AND t.item_id = i.id"
        " WHERE s.user_id = %s AND i.source_id = s.source_id"
        f" AND {conditions} AND i.id < %s AND i.id >= %s ORDER BY i.id DESC LIMIT %s"
    )


def marked_ids(
    user: User, followed: Iterable[int] | None, filters: Filters, before: int, limit: int
) -> list[int]:
    """Return ids of saved items, even of sources that the reader no longer follows, or of hidden
    items of sources that they follow."""
    conditions, values = _conditions(filters, unread_horizon())
    is_marked = "t.is_saved" if filters.saved else "s.id IS NOT NULL"
    query = (
        "SELECT t.item_id FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
        " LEFT JOIN feeds_subscription s ON s.user_id = t.user_id AND s.source_id = i.source_id"
        f" WHERE t.user_id = %s AND {is_marked} AND t.item_id < %s AND {conditions}"
    )
    parameters: list[Any] = [user.pk, before, *values]
    if filters.source_id is not None:
        query += " AND i.source_id = %s"
        parameters.append(filters.source_id)
    if filters.folder_id is not None:
        assert followed is not None
        query += f" AND {_among('i.source_id')}"
        parameters.append(json.dumps(sorted(followed)))
    return _ids(f"{query} ORDER BY t.item_id DESC", parameters, limit)


def _conditions(filters: Filters, horizon: int) -> tuple[str, list[Any]]:
    """Return the SQL condition for `filters` and its parameters.

    It uses the aliases i (item), t (state, may be missing) and s (subscription, may be missing).
    Hidden items are left out, or the only ones. Unread is defined as in `attach_states`.
    """
    conditions = [("" if filters.hidden else "NOT ") + "COALESCE(t.is_hidden, FALSE)"]
    values: list[Any] = []
    if filters.unread:
        conditions.append(
            "NOT COALESCE(t.is_read, i.id < %s OR i.seq <= COALESCE(s.read_up_to, 0))"
        )
        values.append(horizon)
    if filters.topic:
        conditions.append("CAST(i.topics AS text) LIKE %s ESCAPE '!'")
        escaped = re.sub("([!%_])", r"!\1", json.dumps(filters.topic))
        values.append(f"%{escaped}%")
    return " AND ".join(conditions), values


def _among(column: str) -> str:
    """A condition that `column` is in a list of ids, which is passed as one JSON parameter."""
    return {
        "postgresql": f"{column} IN (SELECT value::bigint FROM jsonb_array_elements(%s))",
        "sqlite": f"{column} IN (SELECT value FROM json_each(%s))",
    }[connection.vendor]


def _ids(query: str, parameters: Sequence[Any], limit: int) -> list[int]:
    with reading_connection().cursor() as cursor:
        cursor.execute(f"{query} LIMIT %s", [*parameters, limit])
        return [row[0] for row in cursor.fetchall()]


def _windows(top: int, lowest: int) -> Iterator[tuple[int, int]]:
    """Yield windows (high, low) of ids from `top` down to `lowest`, each four times as long as the
    one before."""
    width, high = lowest_id(EPOCH + DAY), top
    while high > lowest:
        is_last = width > lowest_id(EPOCH + _WIDEST)
        low = lowest if is_last else max(high - width, lowest)
        yield high, low
        high, width = low, width * 4


def unread_horizon() -> int:
    """Items with a lower id count as read, unless the reader marked them."""
    return lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))


def _items(ids: Iterable[int]) -> list[Item]:
    items = narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, ids, STORY_COLUMNS)
    return sorted(items.values(), key=lambda item: item.pk, reverse=True)


def _with_states(user: User, items: list[Item], followed: Mapping[int, Followed]) -> list[Item]:
    return attach_states(user, items, {pk: s.read_up_to for pk, s in followed.items()})


def attach_states(
    user: User, items: Sequence[Item], watermarks: dict[int, int] | None = None
) -> list[Item]:
    """Set `is_read`, `is_saved`, `is_hidden` and `is_opened` on items.

    `watermarks` is {source id: read_up_to}. An item is read if the reader marked it, if its seq is
    at most read_up_to, or if it is older than the unread horizon.
    """
    items = list(items)
    if watermarks is None:
        sources = {item.source_id for item in items}
        rows = user.subscriptions.filter(source__in=sources)
        watermarks = dict(rows.values_list("source_id", "read_up_to"))
    states = _states_of(user, [item.pk for item in items])
    horizon = unread_horizon()
    for item in items:
        explicit, *flags = states.get(item.pk, (None, False, False, False))
        by_watermark = item.seq <= watermarks.get(item.source_id, 0) or item.pk < horizon
        item.is_read = by_watermark if explicit is None else bool(explicit)  # type: ignore[attr-defined]
        item.is_saved, item.is_hidden, item.is_opened = map(bool, flags)  # type: ignore[attr-defined]
    settle_copies(items, partial(Item.objects.visible_to, user))
    return items


def _states_of(user: User, ids: Sequence[int]) -> dict[int, Sequence[Any]]:
    """{item: (is_read, is_saved, is_hidden, is_opened)} of those with a state."""
    if not ids:
        return {}
    is_one, values = among("item_id", ids)
    query = (
        "SELECT item_id, is_read, is_saved, is_hidden, is_opened FROM feeds_itemstate"
        f" WHERE user_id = %s AND {is_one}"
    )
    return {pk: state for pk, *state in fetch(query, [user.pk, *values])}


def attach_source_counts(
    user: User, items: Sequence[Item], *, follows_private: bool = True
) -> None:
    """Set `tellers` on items: the number of sources that cover the item's story and that the
    reader can see. Story rows do not count private sources."""
    stories = {item.story for item in items if item.story}
    if not follows_private:
        stories = {story for story in stories if story.source_count > 1}
    sources: defaultdict[int | None, set[int]] = defaultdict(set)
    if stories:
        members = members_of(user, stories)
        settle_copies(members, partial(Item.objects.visible_to, user))
        for member in members:
            if member.copy_of is None:
                sources[member.story_id].add(member.source_id)
    for item in items:
        count = len(sources.get(item.story_id, ())) or 1
        if item.story and item.story.item_count > MAX_MEMBERS:  # not all of them were read
            count = max(count, item.story.source_count)
        item.tellers = count  # type: ignore[attr-defined]
