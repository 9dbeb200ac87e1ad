# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""Count the items of a reader's sources that arrived after a ledger number."""

from dataclasses import dataclass

from ainews_site.infra.db_router import reading_connection, signed_lsn
from feeds.models import Item
from feeds.models.reading import Subscription

MAX_COUNTED = 1_000
"""Limit of counted items."""
WINDOW = 20_000
"""Latest arrivals, of all sources, that are searched for the reader's items."""
RECENT = 2_000
"""Latest arrivals, of all sources, that are searched for the reader's newest item."""
STEP = 1_000
"""Rounding of ledger numbers that are not of the reader's own items. The ledger includes private
sources of others, and exact numbers would reveal their activity."""


@dataclass(frozen=True, slots=True)
class News:
    """New items of a reader.

    `seq` is the newest ledger number of their sources. `items` and `stories` are counts; if
    `has_more`, they are lower bounds. `lsn` is the signed LSN of the primary, "" without
    replicas: a page sends it with its next request, so that no lagging replica answers it.
    """

    seq: int
    items: int
    stories: int
    lsn: str = ""
    has_more: bool = False

    def as_event(self) -> dict[str, int | str]:
        event: dict[str, int | str] = {
            "kind": "new",
            "seq": self.seq,
            "items": self.items,
            "stories": self.stories,
        }
        event |= {"more": True} if self.has_more else {}
        return event | ({"position": self.lsn} if self.lsn else {})


def reader_seq(user_id: int) -> int:
    """The newest ledger number that this reader may know, see `_newest`."""
    return _newest(user_id)[0]


def news_since(user_id: int, seq: int) -> News:
    """Count the items after `seq` of the reader's sources.

    Counts at most MAX_COUNTED items among the last WINDOW arrivals, because clients may send any
    `seq`.
    """
    newest, latest = _newest(user_id)
    start = max(seq, _rounded(latest - WINDOW))
    mine = Subscription.objects.filter(user_id=user_id).values("source")
    arrived = Item.objects.filter(seq__gt=start, seq__lte=latest, source__in=mine).order_by()
    stories = list(arrived.values_list("story", flat=True)[: MAX_COUNTED + 1])
    has_more = start > seq or len(stories) > MAX_COUNTED
    counted = stories[:MAX_COUNTED]
    # The LSN is read last, so that it includes everything that was counted.
    return News(newest, len(counted), len({*counted} - {None}), signed_lsn(), has_more)


def _rounded(seq: int) -> int:
    return seq // STEP * STEP


def _newest(user_id: int) -> tuple[int, int]:
    """Return the newest ledger numbers of the reader's sources and of all sources.

    If none of the reader's items is among the RECENT arrivals, the first number is a rounded lower
    bound of these arrivals, which stands for the same set of items.
    """
    newest = "(SELECT COALESCE(max(seq), 0) AS seq FROM feeds_itemkey)"
    start = f"(newest.seq - {RECENT}) / {STEP} * {STEP}"
    # The unary + stops the planner from using the index on source_id.
    own = (
        f"SELECT k.seq FROM feeds_itemkey k WHERE k.seq > {start} AND +k.source_id IN"
        " (SELECT source_id FROM feeds_subscription WHERE user_id = %s)"
        " ORDER BY k.seq DESC LIMIT 1"
    )
    with reading_connection().cursor() as cursor:
        cursor.execute(
            f"SELECT COALESCE(({own}), {start}), newest.seq FROM {newest} newest",
            [user_id],
        )
        own_seq, latest = cursor.fetchone()
    return max(0, own_seq), latest
