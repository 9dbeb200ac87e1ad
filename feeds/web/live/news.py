# ruff: noqa: S608 - all of the SQL is our own, values are parameters
"""What came after a ledger number, counted for one reader."""

from dataclasses import dataclass

from ainews_site.infra.db_router import reading_connection, signed_lsn
from feeds.models import Item
from feeds.models.reading import Subscription

MOST = 1_000
"""Items that are counted: nobody wants to know how many more there are."""
WINDOW = 20_000
"""Arrivals that are looked at, of all sources."""
RECENT = 2_000
"""Arrivals, of all sources, among which the newest of a reader's own is looked for."""
STEP = 1_000
"""Where nothing of their own is among those, readers learn how many arrivals there were to
this precision. The ledger counts the private sources of others too."""


@dataclass(frozen=True, slots=True)
class News:
    """`seq` is the newest ledger number of the reader's sources; `items` and `stories` are what
    came since, or, where it `has_more`, the least that came.

    `position` is how far the primary had come: the page that takes the news in hands it
    on, and is not read from a replica that lacks them. Empty without replicas.
    """

    seq: int
    items: int
    stories: int
    position: str = ""
    has_more: bool = False

    def as_event(self) -> dict[str, int | str]:
        event: dict[str, int | str] = {
            "kind": "new",
            "seq": self.seq,
            "items": self.items,
            "stories": self.stories,
        }
        event |= {"more": True} if self.has_more else {}
        return event | ({"position": self.position} if self.position else {})


def reader_seq(user_id: int) -> int:
    """The newest ledger number that this reader may know of: see `_newest`."""
    return _newest(user_id)[0]


def news_since(user_id: int, seq: int) -> News:
    """Items beyond `seq` of the sources that this reader subscribes to: `MOST` of them at most,
    and of the last `WINDOW` arrivals alone, as a client may say any `seq`."""
    newest, latest = _newest(user_id)
    start = max(seq, _rounded(latest - WINDOW))
    mine = Subscription.objects.filter(user_id=user_id).values("source")
    arrived = Item.objects.filter(seq__gt=start, seq__lte=latest, source__in=mine).order_by()
    stories = list(arrived.values_list("story", flat=True)[: MOST + 1])
    has_more = start > seq or len(stories) > MOST
    counted = stories[:MOST]
    # The position comes last: what was counted lies before it.
    return News(newest, len(counted), len({*counted} - {None}), signed_lsn(), has_more)


def _rounded(seq: int) -> int:
    return seq // STEP * STEP


def _newest(user_id: int) -> tuple[int, int]:
    """The newest ledger number of the reader's sources, and of all.

    Where none of theirs is among the last arrivals, the first number is that of an older one: it
    stands for the same set of items. So it does not tell when a source of others has news.
    """
    newest = "(SELECT COALESCE(max(seq), 0) AS seq FROM feeds_itemkey)"
    start = f"(newest.seq - {RECENT}) / {STEP} * {STEP}"
    # The + keeps a planner from reading all keys of each source.
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
