"""What came after a ledger number, counted for one reader."""

from dataclasses import dataclass

from accounts.database import signed_position
from feeds.models import Item, ItemKey
from feeds.models.reading import Subscription


@dataclass(frozen=True, slots=True)
class News:
    """`seq` is the newest ledger number; `items` and `stories` are what came since.

    `position` is how far the primary had come: the page that takes the news in hands it
    on, and is not read from a replica that lacks them. Empty without replicas.
    """

    seq: int
    items: int
    stories: int
    position: str = ""

    def as_event(self) -> dict[str, int | str]:
        event: dict[str, int | str] = {
            "kind": "new",
            "seq": self.seq,
            "items": self.items,
            "stories": self.stories,
        }
        return event | ({"position": self.position} if self.position else {})


def latest_seq() -> int:
    """The newest ledger number, 0 when there is none."""
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True).first()
    return newest or 0


def news_since(user_id: int, seq: int) -> News:
    """Items beyond `seq` of the sources that this reader subscribes to."""
    latest = latest_seq()
    mine = Subscription.objects.filter(user_id=user_id).values("source")
    arrived = Item.objects.filter(seq__gt=seq, seq__lte=latest, source__in=mine)
    stories = arrived.exclude(story=None).order_by().values("story").distinct().count()
    # The position comes last: what was counted lies before it.
    return News(latest, arrived.count(), stories, signed_position())
