"""A story as one reader sees it: only what they may see, and what they did with it."""

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
    """The items with this reader's `is_read`, `is_saved`, `is_opened` and `read_at` (None where
    unknown)."""
    states = ItemState.objects.filter(user=user, item=OuterRef("pk"))
    mark = Subscription.objects.filter(user=user, source=OuterRef("source"))
    marked = Coalesce(Subquery(mark.values("read_up_to")[:1]), 0)
    return items.alias(marked_up_to=marked).annotate(
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
    """Make the first copy of an original that the reader cannot see the original to them, and the
    others copies of it: what others alone can see takes no source away. `visible` is what the
    reader may see; it is asked only when an original is not among the items."""
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
    """Whether a story tells something new: a telling that the reader neither read nor knew
    of by then. Who reads one telling of a story has read those that were there; a copy
    is nothing new."""
    items = list(items)
    originals = [item for item in items if item.copy_of is None] or items
    known = max((_known_by(item) for item in items if item.is_read), default=None)
    return any(
        not item.is_read and (known is None or item.fetched_at > known) for item in originals
    )


def _known_by(item: Any) -> datetime:
    """When it was read; what was marked as read with all else was known when it came."""
    moment: datetime = item.read_at or item.fetched_at
    return moment


def lead_first(story: Story, items: list[Item]) -> list[Item]:
    """The story's lead if the reader sees it, else the first telling; copies last."""
    return sorted(items, key=lambda item: (item.copy_of is not None, item.pk != story.lead_id))


def headline_for(story: Story, lead: Item) -> str:
    """The story's headline unless it was taken from an item that the reader may not see."""
    return story.title if story.title_pinned or lead.pk == story.lead_id else lead.title
