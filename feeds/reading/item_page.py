# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The page of one item: its text with the reader's state, and the items next to it in the river.

Each of both is one query, because Django takes longer to compile a query than the database needs to
answer it.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import partial
from itertools import islice
from typing import Any

from django.conf import settings
from django.utils import timezone

from accounts.models import User
from feeds.core.ids import lowest_id
from feeds.models import Item, ItemBody, Source, Story
from feeds.models.narrow import ITEM_COLUMNS, SOURCE_COLUMNS, fetch, in_order, row_maker
from feeds.reading.river import DAY, EPOCH, STORY_COLUMNS, attach_source_counts
from feeds.stories.coverage import settle_copies

BODY_COLUMNS = ("item_id", "html", "text", "enclosures", "is_full_text")

_PARTS = (
    (Item, "i", in_order(Item, ITEM_COLUMNS)),
    (Source, "c", in_order(Source, SOURCE_COLUMNS)),
    (ItemBody, "b", in_order(ItemBody, BODY_COLUMNS)),
    (Story, "y", in_order(Story, STORY_COLUMNS)),
)
_COLUMNS = ", ".join(f"{table}.{name}" for _, table, names in _PARTS for name in names)
_ITEM = (
    f"SELECT {_COLUMNS}, s.id, s.title, s.read_up_to,"
    " t.is_read, t.is_saved, t.is_hidden, t.is_opened,"
    " EXISTS (SELECT 1 FROM feeds_subscription o JOIN feeds_source p ON p.id = o.source_id"
    " WHERE o.user_id = %s AND NOT p.is_public)"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_itembody b ON b.item_id = i.id"
    " LEFT JOIN feeds_story y ON y.id = i.story_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE i.id = %s AND (c.is_public OR s.id IS NOT NULL OR t.is_saved)"
)
_NEXT = (
    "SELECT id FROM (SELECT i.id FROM feeds_subscription s CROSS JOIN feeds_item i"
    " LEFT JOIN feeds_itemstate t ON t.user_id = s.user_id AND t.item_id = i.id"
    " WHERE s.user_id = %s AND i.source_id = s.source_id AND NOT COALESCE(t.is_hidden, FALSE)"
    " AND {range} LIMIT 1) AS {name}"
)
_NEWER = _NEXT.format(range="i.id > %s AND i.id <= %s ORDER BY i.id", name="newer")
_OLDER = _NEXT.format(range="i.id >= %s AND i.id < %s ORDER BY i.id DESC", name="older")
_WIDENING = 30
"""The first window is a day, so that few items are read. Each further one is so much wider."""
Range = tuple[int, int]


def get_item(user: User, pk: int) -> Item:
    """Return an item with its body and the reader's state. Raises Item.DoesNotExist.

    Items that the reader saved stay visible to them. The item has the attributes of
    `attach_states`, `source_title` (the reader's name for the source) and `tellers`.
    """
    rows = fetch(_ITEM, [user.pk, user.pk, user.pk, pk]) if 0 <= pk < 1 << 63 else []
    if not rows:
        raise Item.DoesNotExist(f"The reader does not see item {pk}.")
    values = iter(rows[0])
    item: Any
    item, source, body, story = (
        row_maker(model, names)(list(islice(values, len(names)))) for model, _, names in _PARTS
    )
    item.source, item.story = source, story if story.pk else None
    item.body = body if body.pk else ItemBody(item=item)
    follows_private = _set_state(item, *values)
    attach_source_counts(user, [item], follows_private=follows_private)
    settle_copies([item], partial(Item.objects.visible_to, user))
    shown: Item = item
    return shown


def _set_state(
    item: Item,
    subscription: int | None,
    own_name: str | None,
    read_up_to: int | None,
    is_read: bool | None,
    is_saved: bool | None,
    is_hidden: bool | None,
    is_opened: bool | None,
    follows_private: bool,
) -> bool:
    """Set the reader's state and name of the source. Return whether they follow private sources."""
    horizon = lowest_id(timezone.now() - timedelta(days=settings.UNREAD_HORIZON_DAYS))
    by_watermark = item.seq <= (read_up_to or 0) or item.pk < horizon
    values = {
        "source_title": own_name or str(item.source),
        "is_read": by_watermark if is_read is None else bool(is_read),
        "is_saved": bool(is_saved),
        "is_hidden": bool(is_hidden),
        "is_opened": bool(is_opened),
    }
    item.__dict__.update(values)
    return bool(follows_private)


def neighbours(user: User, pk: int) -> tuple[int | None, int | None]:
    """Return (newer, older): the ids of the items next to this one in the unfiltered river.

    Both are looked for within a day by one query, and then further away if need be.
    """
    newer: int | None = None
    older: int | None = None
    for above, below in _windows(pk, lowest_id(timezone.now() + DAY)):
        arms = []
        if newer is None and above[0] < above[1]:
            arms.append((_NEWER, above))
        if older is None and below[0] < below[1]:
            arms.append((_OLDER, below))
        for other in _next(user, arms):
            newer, older = (other, older) if other > pk else (newer, other)
    return newer, older


def _windows(pk: int, top: int) -> Iterator[tuple[Range, Range]]:
    """Yield ranges of ids above and below `pk`, each further away, until all are covered.

    The first one above has two days, so that it has all that is newer than an item of today.
    """
    width, high, low = lowest_id(EPOCH + DAY), pk, pk
    while high < top or low > 0:
        upper, lower = min(high + 2 * width, max(top, high)), max(low - width, 0)
        yield (high, upper), (lower, low)
        high, low, width = upper, lower, width * _WIDENING


def _next(user: User, arms: Sequence[tuple[str, Range]]) -> list[int]:
    """The ids that these queries find in their ranges."""
    if not arms:
        return []
    values = [value for _, ends in arms for value in (user.pk, *ends)]
    return [pk for (pk,) in fetch(" UNION ALL ".join(arm for arm, _ in arms), values)]
