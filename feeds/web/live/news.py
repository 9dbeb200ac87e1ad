"""What came after a ledger number, counted for one reader."""

from dataclasses import dataclass

from ainews_site.infra.db_router import signed_position
from feeds.coordination.revisions import latest_seq
from feeds.models import Item
from feeds.models.reading import Subscription

MOST = 1_000
"""Items that are counted: nobody wants to know how many more there are."""
WINDOW = 20_000
"""Arrivals that are looked at, of all sources."""


@dataclass(frozen=True, slots=True)
class News:
    """`seq` is the newest ledger number; `items` and `stories` are what came since, or, where it
    `has_more`, the least that came.

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


def news_since(user_id: int, seq: int) -> News:
    """Items beyond `seq` of the sources that this reader subscribes to: `MOST` of them at most,
    and of the last `WINDOW` arrivals alone, as a client may say any `seq`."""
    latest = latest_seq()
    start = max(seq, latest - WINDOW)
    mine = Subscription.objects.filter(user_id=user_id).values("source")
    arrived = Item.objects.filter(seq__gt=start, seq__lte=latest, source__in=mine).order_by()
    stories = list(arrived.values_list("story", flat=True)[: MOST + 1])
    has_more = start > seq or len(stories) > MOST
    counted = stories[:MOST]
    # The position comes last: what was counted lies before it.
    return News(latest, len(counted), len({*counted} - {None}), signed_position(), has_more)
