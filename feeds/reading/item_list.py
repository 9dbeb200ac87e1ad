"""A page of the river for the API: its items with nothing of their stories.

It makes half of the queries of `river`, which pages use.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from accounts.models import User
from feeds.models import Item
from feeds.models.narrow import among, fetch, moment
from feeds.reading.filters import Filters
from feeds.reading.river import NEWEST_ID, marked_ids, newest_ids, unread_horizon
from feeds.reading.sources import followed_sources
from feeds.stories.coverage import settle_copies

_ITEMS = (
    "SELECT i.id, i.seq, i.source_id, i.story_id, i.copy_of, i.url, i.title, i.author, i.summary,"
    " i.image_url, i.language, i.topics, i.published_at, i.fetched_at, i.updated_at,"
    " c.url, c.title, s.title, s.read_up_to, t.is_read, t.is_saved"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE {} ORDER BY i.id DESC"
)


@dataclass(slots=True)
class ListedItem:
    """An item with the reader's state, and with their name for its source."""

    pk: int
    seq: int
    source_id: int
    story_id: int | None
    copy_of: int | None
    url: str
    title: str
    author: str
    summary: str
    image_url: str
    language: str
    topics: list[str]
    published_at: datetime
    fetched_at: datetime
    updated_at: datetime | None
    source_title: str
    is_read: bool
    is_saved: bool

    @property
    def id(self) -> int:
        return self.pk


def list_items(user: User, filters: Filters, before: int | None, limit: int) -> list[ListedItem]:
    """Return the items of `feeds.reading.river.river`, in two queries. A folder or a source takes
    one or two more."""
    followed = None
    if filters.folder_id is not None or filters.source_id is not None:
        followed = followed_sources(
            user, folder_id=filters.folder_id, source_id=filters.source_id
        ).keys()
    find = marked_ids if filters.saved or filters.hidden else newest_ids
    ids = find(user, followed, filters, before or NEWEST_ID, limit)
    if not ids:
        return []
    horizon = unread_horizon()
    is_listed, values = among("i.id", ids)
    rows = fetch(_ITEMS.format(is_listed), [user.pk, user.pk, *values])
    items = [_listed(row, horizon) for row in rows]
    if any(item.copy_of for item in items):
        settle_copies(items, partial(Item.objects.visible_to, user))
    return items


def _listed(row: Sequence[Any], horizon: int) -> ListedItem:
    topics, *times = row[11:15]
    url, title, own, read_up_to, is_read, is_saved = row[15:]
    if is_read is None:
        is_read = row[1] <= (read_up_to or 0) or row[0] < horizon
    values: list[Any] = [*row[:11], json.loads(topics), *map(moment, times)]
    values += [own or title or url, bool(is_read), bool(is_saved)]
    return ListedItem(*values)
