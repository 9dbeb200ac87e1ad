# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The items of many stories as one reader may see them, in narrow rows and one query.

Lists of stories need who published when, and what the reader has read, of every item of a story.
Rows of models with all their columns cost ten times as much. Of a story with more than MAX_MEMBERS
items only the newest are read, so that no story costs much more than another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.utils import timezone

from accounts.models import User
from feeds.core.ids import id_limit, lowest_id
from feeds.models import Item
from feeds.models.narrow import among, fetch, moment
from feeds.models.story import REACH, StoryHead

AnyRow = TypeVar("AnyRow")
MAX_MEMBERS = 400
MAX_DOTS = 24
"""Articles of a story that its coverage strip shows."""


class Dot(NamedTuple):
    """An article on the coverage strip of a story."""

    published_at: datetime
    source_id: int
    is_copy: bool


@dataclass(slots=True)
class Member:
    """An item of a story, with the reader's state. `copy_of` may be changed by settle_copies.

    `read_at` is None for an item that was marked as read with its whole source.
    """

    pk: int
    story_id: int
    source_id: int
    copy_of: int | None
    fetched_at: datetime
    is_read: bool
    read_at: datetime | None
    is_saved: bool
    is_opened: bool
    is_hidden: bool
    own_name: str | None
    """The reader's own name for the source, "" or None if they have none."""


_COLUMNS = (
    "i.id, i.story_id, i.source_id, i.copy_of, i.seq, i.fetched_at, s.read_up_to, t.is_read,"
    " t.changed_at, t.is_saved, t.is_opened, t.is_hidden, s.title"
)
MEMBER_WIDTH = _COLUMNS.count(",") + 1
"""Columns of a member."""
_FROM = (
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL) AND i.id >= %s AND i.id < %s"
)
MEMBER_ROWS = f"SELECT {_COLUMNS}{_FROM}"


def wide_member_rows(columns: str) -> str:
    """Return SQL like MEMBER_ROWS with more columns of the item (`i`) and of its source (`c`)."""
    return f"SELECT {_COLUMNS}, {columns}{_FROM}"


def members_of(
    user: User, stories: Iterable[StoryHead], most: int | None = MAX_MEMBERS
) -> list[Member]:
    """Return the visible items of these stories in order of time: the newest `most` of each, and
    the leads.

    Copies whose original the reader cannot see are not promoted yet; see settle_copies.
    """
    stories = list(stories)
    small = [story for story in stories if most is None or story.item_count <= most]
    newest = f"{MEMBER_ROWS} AND i.story_id = %s ORDER BY i.id DESC LIMIT %s"
    arms: list[str] = []
    values: list[Any] = []
    if small:
        is_small, pks = among("i.story_id", [story.pk for story in small])
        arms.append(f"{MEMBER_ROWS} AND {is_small}")
        values += [user.pk, user.pk, *_range(small), *pks]
    for story in stories:
        if most is not None and story.item_count > most:
            arms.append(f"SELECT * FROM ({newest}) AS newest")
            values += [user.pk, user.pk, *_range([story]), story.pk, most]
            arms.append(f"{MEMBER_ROWS} AND i.story_id = %s AND i.id = %s")
            values += [user.pk, user.pk, *_range([story]), story.pk, story.lead_id]
    return read_rows(" UNION ALL ".join(arms), values) if arms else []


def spread(members: Sequence[AnyRow], most: int) -> Sequence[AnyRow]:
    """Choose at most `most` members, evenly from the first to the last."""
    if len(members) <= most:
        return members
    step = (len(members) - 1) / (most - 1)
    return [members[round(number * step)] for number in range(most)]


def last_read(
    user: User, stories: Iterable[StoryHead], most: int = MAX_MEMBERS
) -> dict[int, datetime]:
    """{story: when the reader last read one of its items}, for stories with more than `most` items.

    For others `members_of` has all items. The states of the reader are searched, not the items.
    """
    large = [story for story in stories if story.item_count > most]
    if not large:
        return {}
    is_large, pks = among("i.story_id", [story.pk for story in large])
    query = (
        "SELECT i.story_id, max(t.changed_at) FROM feeds_itemstate t"
        # SQLite keeps the order of a cross join. It would read all items of the stories.
        " CROSS JOIN feeds_item i WHERE i.id = t.item_id AND t.user_id = %s AND t.is_read"
        " AND t.item_id >= %s AND t.item_id < %s AND i.id >= %s AND i.id < %s"
        f" AND {is_large} GROUP BY i.story_id"
    )
    values = [user.pk, *_range(large), *_range(large), *pks]
    return {story: moment(read_at) for story, read_at in fetch(query, values)}


def apply_state(item: Item, member: Member) -> Item:
    """Set the reader's state on an item: `is_read`, `is_saved`, `is_opened`, `read_at`."""
    item.copy_of = member.copy_of
    item.is_read, item.read_at = member.is_read, member.read_at  # type: ignore[attr-defined]
    item.is_saved, item.is_opened = member.is_saved, member.is_opened  # type: ignore[attr-defined]
    return item


def read_rows(query: str, values: Sequence[Any]) -> list[Member]:
    """The members that a query finds, each once, in order of time."""
    return to_members(fetch(query, values))


def to_members(rows: Iterable[Sequence[Any]]) -> list[Member]:
    """The members of rows, each once, in order of time. Columns beyond theirs are ignored."""
    members = {row[0]: _member(*row[:MEMBER_WIDTH]) for row in rows}
    return [members[pk] for pk in sorted(members)]


def _range(stories: Sequence[StoryHead]) -> tuple[int, int]:
    """The range of ids [low, high) that items of these stories have, which excludes other
    partitions."""
    lowest = lowest_id(min(story.first_at for story in stories) - REACH)
    return lowest, id_limit(timezone.now())


def _member(
    pk: int,
    story: int,
    source: int,
    copy_of: int | None,
    seq: int,
    fetched_at: Any,
    read_up_to: int | None,
    is_read: bool | None,
    changed_at: Any,
    is_saved: bool | None,
    is_opened: bool | None,
    is_hidden: bool | None,
    own_name: str | None,
) -> Member:
    by_watermark = seq <= (read_up_to or 0)
    return Member(
        pk,
        story,
        source,
        copy_of,
        moment(fetched_at),
        by_watermark if is_read is None else bool(is_read),
        moment(changed_at) if is_read else None,
        bool(is_saved),
        bool(is_opened),
        bool(is_hidden),
        own_name,
    )
