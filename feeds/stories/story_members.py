"""The items of one story for its page: all of them or, of a large story, its ends and some between.

So the page of a story of thousands costs what that of a small one costs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.core.ids import TAIL_BITS, lowest_id
from feeds.models import Item, Source, Story
from feeds.models.narrow import (
    ITEM_COLUMNS,
    SOURCE_COLUMNS,
    among,
    fetch,
    in_order,
    items_of,
    moment,
)
from feeds.models.story import REACH
from feeds.stories.coverage import settle_copies
from feeds.stories.members import (
    MAX_DOTS,
    MAX_MEMBERS,
    MEMBER_ROWS,
    MEMBER_WIDTH,
    Member,
    read_rows,
    spread,
    to_members,
    wide_member_rows,
)

EARLIEST, NEWEST = 30, 90
"""Items that are read at the ends of a large story. Copies and hidden ones are among them."""
FRESH = 60
"""Lifetime of the cached choice of items in seconds. Its validator follows the story's row, which
does not change with private items if the story has public ones."""

MAX_WIDE = 60
"""A story with more items has its items read by a second query: its page shows a part of them."""
_PARTS = (in_order(Item, ITEM_COLUMNS), in_order(Source, SOURCE_COLUMNS))
_WIDE_ROWS = wide_member_rows(
    ", ".join(f"{t}.{name}" for t, names in zip("ic", _PARTS, strict=True) for name in names)
)
_MARKS = (
    "SELECT max(CASE WHEN t.is_read THEN t.changed_at END),"
    " count(CASE WHEN t.is_hidden THEN 1 END),"
    " count(CASE WHEN t.is_hidden AND i.copy_of IS NULL THEN 1 END)"
    # SQLite keeps the order of a cross join. It would read all items of the story.
    " FROM feeds_itemstate t CROSS JOIN feeds_item i"
    " WHERE i.id = t.item_id AND t.user_id = %s AND t.item_id >= %s AND t.item_id < %s"
    " AND i.id >= %s AND i.id < %s AND i.story_id = %s"
)
"""What the reader did with the items of a story. Their states are searched, not the items."""


@dataclass(slots=True)
class StoryMembers:
    """The items of a story that a reader can see, in order of time, without hidden ones.

    If all are hidden, they are all there. `is_whole` says whether `members` are all items.
    `last_read` is when the reader read one of them that may be missing.
    """

    members: list[Member]
    originals: list[Member]
    dots: Sequence[Member]
    item_count: int
    original_count: int
    source_count: int
    is_whole: bool = True
    last_read: datetime | None = None
    items: Mapping[int, Item] = field(default_factory=dict)
    """The items of a small story, which were read with its members."""


def all_members_of(user: User, story: Story) -> StoryMembers:
    """Read all items of the story."""
    is_small = story.item_count <= MAX_WIDE
    rows = fetch(
        f"{_WIDE_ROWS if is_small else MEMBER_ROWS} AND i.story_id = %s",
        [user.pk, user.pk, *_range(story), story.pk],
    )
    members = _shown(user, to_members(rows))
    originals = _originals(members)
    return StoryMembers(
        members=members,
        originals=originals,
        dots=spread(members, MAX_DOTS),
        item_count=len(members),
        original_count=len(originals),
        source_count=len({member.source_id for member in originals}),
        items=items_of([row[MEMBER_WIDTH:] for row in rows], *_PARTS) if is_small else {},
    )


def some_members_of(user: User, story: Story) -> StoryMembers:
    """Read the ends of the story and some items between, if it has more than MAX_MEMBERS items.

    The counts are then those of the story's row, so own private items are not counted. A reader
    who sees the lead sees all that the row counts; for another reader all items are read.
    """
    if story.item_count <= MAX_MEMBERS:
        return all_members_of(user, story)
    ids = _choose(story)
    members = _read(user, story, ids)
    if story.lead_id not in {member.pk for member in members}:
        return all_members_of(user, story)
    read_at, hidden, hidden_originals = _marks_of(user, story)
    members = _shown(user, members)
    originals = _originals(members)
    count = max(story.item_count - hidden, len(members))
    return StoryMembers(
        members=members,
        originals=originals,
        dots=_dots(members, ids[EARLIEST:-NEWEST]),
        item_count=count,
        original_count=min(
            max(story.item_count - story.copy_count - hidden_originals, len(originals)), count
        ),
        source_count=max(story.source_count, len({member.source_id for member in originals})),
        is_whole=False,
        last_read=read_at,
    )


def visible_ids(user: User, story: Story, ids: Collection[int]) -> set[int]:
    """Those of `ids` that are items of the story which the reader can see."""
    items = Item.objects.visible_to(user).filter(story=story, pk__in=ids)
    return set(items.order_by().values_list("pk", flat=True))


def _shown(user: User, members: list[Member]) -> list[Member]:
    settle_copies(members, partial(Item.objects.visible_to, user))
    return [member for member in members if not member.is_hidden] or members


def _originals(members: list[Member]) -> list[Member]:
    return [member for member in members if member.copy_of is None] or members


def _range(story: Story) -> tuple[int, int]:
    """The range of ids [low, high) that its items have, which excludes other partitions."""
    high = lowest_id(story.last_at + REACH) + (1 << TAIL_BITS)
    return lowest_id(story.first_at - REACH), high


def _choose(story: Story) -> list[int]:
    """The ids of the earliest items, of some that are spread over the life of the story, and of
    the newest. They are cached for all readers: they only say which items to read."""

    def compute() -> list[int]:
        query = "SELECT id FROM feeds_item WHERE story_id = %s AND id >= %s AND id < %s"
        ids = sorted(pk for (pk,) in fetch(query, [story.pk, *_range(story)]))
        return [*ids[:EARLIEST], *spread(ids, MAX_DOTS), *ids[-NEWEST:]]

    state = (story.last_seq, story.item_count, story.copy_count)
    return cached(f"story-items-{story.pk}", compute, fresh=FRESH, validator=state)


def _read(user: User, story: Story, ids: Collection[int]) -> list[Member]:
    """Those of these items and of the lead that the reader can see, in order of time."""
    wanted = list(dict.fromkeys([*ids, *([story.lead_id] if story.lead_id else [])]))
    # The sign keeps databases from reading all items of the story by the index.
    is_wanted, values = among("i.id", wanted)
    query = f"{MEMBER_ROWS} AND +i.story_id = %s AND {is_wanted}"
    return read_rows(query, [user.pk, user.pk, *_range(story), story.pk, *values])


def _dots(members: Sequence[Member], between: Collection[int]) -> list[Member]:
    """The first and the last member, and those between."""
    ends = {members[0].pk, members[-1].pk}
    chosen = [member for member in members if member.pk in ends or member.pk in between]
    return list(spread(chosen, MAX_DOTS))


def _marks_of(user: User, story: Story) -> tuple[datetime | None, int, int]:
    """Return (when the reader last read an item, number of hidden items, of hidden originals)."""
    low, high = _range(story)
    [(read_at, hidden, originals)] = fetch(_MARKS, [user.pk, low, high, low, high, story.pk])
    return moment(read_at), hidden, originals
