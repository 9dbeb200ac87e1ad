"""Make real rows for tests: typed, with sensible defaults, in the test database."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from feeds.core.ids import make_id
from feeds.models import Item, ItemBody, ItemKey, Source, Story, Subscription
from feeds.trends.board import trends_of_readers
from feeds.trends.types import Trend


def make_user(username: str = "reader", **overrides: Any) -> User:
    return User.objects.create_user(username, **overrides)


def make_source(name: str = "outlet", *, reader: User | None = None, **overrides: Any) -> Source:
    """A source, subscribed to by `reader` where one is given."""
    fields: dict[str, Any] = {"url": f"https://{name}.example/feed", "title": name.title()}
    source = Source.objects.create(**(fields | overrides))
    if reader is not None:
        Subscription.objects.create(user=reader, source=source)
    return source


def make_item(
    source: Source,
    title: str = "A lab publishes a model",
    *,
    text: str = "",
    html: str = "",
    published: datetime | None = None,
    seq: int | None = None,
    **overrides: Any,
) -> Item:
    """An item with its ledger row and body, published an hour ago by default."""
    published = published or timezone.now() - timedelta(hours=1)
    count = ItemKey.objects.count() + 1
    key = ItemKey.objects.create(seq=seq, source=source, key_hash=count, alt_hash=count)
    fields: dict[str, Any] = {
        "id": make_id(published, key.seq),
        "seq": key.seq,
        "url": f"https://{source.pk}.example/{key.seq}",
        "title": title,
        "summary": text[:600],
        "published_at": published,
        "fetched_at": published,
    }
    item = Item.objects.create(source=source, **(fields | overrides))
    ItemKey.objects.filter(pk=key.pk).update(item_id=item.pk)
    ItemBody.objects.create(item=item, text=text, html=html or f"<p>{text}</p>")
    return item


def make_story(*items: Item, **overrides: Any) -> Story:
    """A story of `items`, led by the first."""
    lead = items[0]
    fields: dict[str, Any] = {
        "id": lead.pk,
        "title": lead.title,
        "lead": lead,
        "first_at": min(item.published_at for item in items),
        "last_at": max(item.published_at for item in items),
        "item_count": len(items),
        "source_count": len({item.source_id for item in items}),
        "last_seq": max(item.seq for item in items),
    }
    story = Story.objects.create(**(fields | overrides))
    Item.objects.filter(pk__in=[item.pk for item in items]).update(story=story)
    for item in items:
        item.story = story
    return story


def public_trends(now: datetime, most: int = 5) -> list[Trend]:
    """The trends among public sources, best first."""
    return trends_of_readers({None: (now, ())}, most)[None]
