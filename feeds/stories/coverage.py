"""The coverage of a story for one reader: visible items only, with the reader's marks."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import BooleanField, DateTimeField, Exists, F, OuterRef, Q, Subquery
from django.db.models.expressions import ExpressionWrapper
from django.db.models.functions import Coalesce

from accounts.models import User
from feeds.models import Item, ItemState, Story, Subscription
from feeds.models.item import ItemQuerySet


def with_state(items: ItemQuerySet, user: User) -> Any:
    """Annotate items with this reader's `is_read`, `is_saved`, `is_opened` and `read_at`.

    `read_at` is None for items that were marked as read with their whole source.
    """
    states = ItemState.objects.filter(user=user, item=OuterRef("pk"))
    subscription = Subscription.objects.filter(user=user, source=OuterRef("source"))
    watermark = Coalesce(Subquery(subscription.values("read_up_to")[:1]), 0)
    return items.alias(marked_up_to=watermark).annotate(
        is_saved=Exists(states.filter(is_saved=True)),
        is_opened=Exists(states.filter(is_opened=True)),
        is_read=Coalesce(
            Subquery(states.values("is_read")[:1]),
            ExpressionWrapper(Q(seq__lte=F("marked_up_to")), output_field=BooleanField()),
        ),
        read_at=Subquery(
            states.filter(is_read=True).values("changed_at")[:1], output_field=DateTimeField()
        ),
    )


def settle_copies(items: Iterable[Item], visible: ItemQuerySet) -> None:
    """Promote copies whose original the reader cannot see, in place.

    The first visible copy becomes the original for this reader, and the other copies become
    copies of it. Hidden sources therefore never change the counts. `visible` are all items that
    the reader can see; it is queried only if an original is not among `items`.
    """
    items = sorted(items, key=lambda item: item.pk)
    unseen = {item.copy_of for item in items if item.copy_of} - {item.pk for item in items}
    if unseen:
        unseen -= set(visible.order_by().filter(pk__in=unseen).values_list("pk", flat=True))
    firsts: dict[int, int] = {}
    for item in items:
        if item.copy_of is not None and item.copy_of in unseen:
            first = firsts.setdefault(item.copy_of, item.pk)
            item.copy_of = None if first == item.pk else first


def is_unread(items: Iterable[Any]) -> bool:
    """Whether a story has an article that is new to the reader.

    Reading one article of a story also marks the articles that had arrived by then. Copies never
    make a story unread.
    """
    items = list(items)
    originals = [item for item in items if item.copy_of is None] or items
    read_until = max((_read_until(item) for item in items if item.is_read), default=None)
    return any(
        not item.is_read and (read_until is None or item.fetched_at > read_until)
        for item in originals
    )


def _read_until(item: Any) -> datetime:
    """When the item was read. If that is unknown, only its own arrival is covered."""
    moment: datetime = item.read_at or item.fetched_at
    return moment


def lead_first(story: Story, items: list[Item]) -> list[Item]:
    """Sort items: the story's lead if the reader sees it, then the others in order, copies last."""
    return sorted(items, key=lambda item: (item.copy_of is not None, item.pk != story.lead_id))


def headline_for(story: Story, lead: Item) -> str:
    """The story's headline, or the lead's title if it comes from an item the reader cannot see."""
    return story.title if story.title_pinned or lead.pk == story.lead_id else lead.title
