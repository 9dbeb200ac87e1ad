"""The list of items for the API: what the river has, in fewer queries."""

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.models import Folder, ItemState, Subscription
from feeds.reading.filters import Filters
from feeds.reading.item_list import ListedItem, list_items
from feeds.reading.marks import set_state
from feeds.reading.river import river
from feeds.sources.subscriptions import unsubscribe
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
NAMES = [name for name in ListedItem.__slots__ if name != "source_title"]


def test_the_list_has_the_items_of_the_river() -> None:
    reader, other = make_user(), make_user("other")
    labs = Folder.objects.create(user=reader, name="Labs")
    named, foldered, left = (make_source(name, reader=reader) for name in ("a", "b", "c"))
    secret = make_source("secret", reader=other)
    hidden_original = make_item(secret)
    items = [make_item(source, topics=["agents"]) for source in (named, foldered, left) * 3]
    make_item(named, published=timezone.now() - timedelta(days=60))
    make_item(named, copy_of=hidden_original.pk)
    make_item(foldered, copy_of=hidden_original.pk)
    Subscription.objects.filter(user=reader, source=named).update(title="Mine", read_up_to=4)
    Subscription.objects.filter(user=reader, source=foldered).update(folder=labs)
    for number, changes in enumerate(({"read": True}, {"saved": True}, {"hidden": True})):
        set_state(reader, [items[number].pk, items[number + 3].pk], **changes)
    set_state(reader, [items[5].pk, items[8].pk], saved=True, read=False)
    unsubscribe(reader, left)

    for filters in (
        Filters(),
        Filters(unread=True),
        Filters(saved=True),
        Filters(topic="agents"),
        Filters(folder_id=labs.pk),
        Filters(folder_id=labs.pk, saved=True),
        Filters(source_id=named.pk, unread=True),
        Filters(source_id=secret.pk),
    ):
        for before in (None, items[4].pk):
            expected = river(reader, filters, before)
            listed = list_items(reader, filters, before, 50)
            for item, own in zip(expected, listed, strict=True):
                assert item.source_title == own.source_title  # type: ignore[attr-defined]
                for name in NAMES:
                    assert getattr(item, name) == getattr(own, name), (filters, name)


def test_the_list_takes_two_queries_however_long_it_is(django_assert_num_queries: Any) -> None:
    reader = make_user()
    source = make_source("a", reader=reader)
    for count in (1, 20):
        for _ in range(count):
            make_item(source)
        ItemState.objects.update(is_saved=True)
        with django_assert_num_queries(2):
            assert list_items(reader, Filters(), None, count)
