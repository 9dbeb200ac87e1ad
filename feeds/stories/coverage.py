"""The coverage of a story for one reader: visible items only, with the reader's marks."""

from collections.abc import Callable, Collection, Iterable
from datetime import datetime
from typing import Any, Protocol, TypeVar

from feeds.models import Item
from feeds.models.item import ItemQuerySet
from feeds.models.story import StoryHead


class Article(Protocol):
    """An item or a feeds.stories.members.Member."""

    pk: Any
    copy_of: int | None


AnyArticle = TypeVar("AnyArticle", bound=Article)


def settle_copies(
    items: Iterable[Article],
    visible: ItemQuerySet | Callable[[], ItemQuerySet],
    seen: Collection[int] = (),
) -> None:
    """Promote copies whose original the reader cannot see, in place.

    The first visible copy becomes the original for this reader, and the other copies become
    copies of it. Hidden sources therefore never change the counts. `visible` are all items that
    the reader can see, or a function that returns them; they are queried only if an original is
    neither among `items` nor in `seen`, ids of other items that they can see.
    """
    items = sorted(items, key=lambda item: item.pk)
    unseen = {item.copy_of for item in items if item.copy_of} - {item.pk for item in items}
    unseen.difference_update(seen)
    if unseen:
        rows = visible() if callable(visible) else visible
        unseen -= set(rows.order_by().filter(pk__in=unseen).values_list("pk", flat=True))
    firsts: dict[int, int] = {}
    for item in items:
        if item.copy_of is not None and item.copy_of in unseen:
            first = firsts.setdefault(item.copy_of, item.pk)
            item.copy_of = None if first == item.pk else first


def is_unread(items: Iterable[Any], last_read: datetime | None = None) -> bool:
    """Whether a story has an article that is new to the reader.

    Reading one article of a story also marks the articles that had arrived by then. Copies never
    make a story unread. `last_read` is when the reader read an item that is not among `items`.
    """
    items = list(items)
    originals = [item for item in items if item.copy_of is None] or items
    moments = [_read_until(item) for item in items if item.is_read]
    read_until = max([*moments, last_read] if last_read else moments, default=None)
    return any(
        not item.is_read and (read_until is None or item.fetched_at > read_until)
        for item in originals
    )


def _read_until(item: Any) -> datetime:
    """When the item was read. If that is unknown, only its own arrival is covered."""
    moment: datetime = item.read_at or item.fetched_at
    return moment


def lead_first(story: StoryHead, items: Iterable[AnyArticle]) -> list[AnyArticle]:
    """Sort items: the story's lead if the reader sees it, then the others in order, copies last."""
    return sorted(items, key=lambda item: (item.copy_of is not None, item.pk != story.lead_id))


def headline_for(story: StoryHead, lead: Item) -> str:
    """The story's headline, or the lead's title if it comes from an item the reader cannot see."""
    return story.title if story.title_pinned or lead.pk == story.lead_id else lead.title
