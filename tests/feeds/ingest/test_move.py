"""A moved feed keeps its readers, and its items never appear under the name of another host."""

from datetime import UTC, datetime
from typing import Any

import pytest

from accounts.models import User
from feeds.ingest.move import adopt_address, current_source
from feeds.models import Item, ItemKey, ItemState, Source, Story, Subscription
from feeds.sources.catalogue import load_catalogue
from feeds.sources.subscriptions import add_source
from feeds.stories.grouping.refresh import refresh_stories
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 11, 24, tzinfo=UTC)
GONE, PAUSED, ACTIVE = Source.Status.GONE, Source.Status.PAUSED, Source.Status.ACTIVE


def source_at(url: str, **overrides: Any) -> Source:
    return make_source(url=url, **overrides)


def test_items_of_another_host_are_not_moved() -> None:
    evil = source_at("https://evil.example/feed")
    fake = make_item(evil, "Fake")
    real = source_at("https://real.example/feed")
    assert adopt_address(evil, real.url) == real
    fake.refresh_from_db()
    assert fake.source == evil
    assert not ItemKey.objects.filter(source=real).exists()


def test_a_publisher_s_items_move_and_twins_become_one() -> None:
    reader = make_user()
    old = source_at("http://lab.example/feed", reader=reader)
    new = source_at("https://www.lab.example/feed", reader=reader)
    alone, twin, kept = make_item(old, "Alone"), make_item(old, "Twin"), make_item(new, "Twin")
    key = ItemKey.objects.get(item_id=twin.pk).key_hash
    ItemKey.objects.filter(item_id=kept.pk).update(key_hash=key)
    ItemState.objects.create(user=reader, item=twin, is_saved=True)
    story = Story.objects.create(
        pk=1, title="T", first_at=alone.published_at, last_at=alone.published_at
    )
    Item.objects.update(story=story)
    refresh_stories([1])

    adopt_address(old, new.url)

    assert set(Item.objects.filter(source=new)) == {alone, kept}
    assert Item.objects.count() == 2
    assert ItemState.objects.get(user=reader).item == kept
    assert ItemState.objects.get(user=reader).is_saved
    story.refresh_from_db()
    assert (story.item_count, story.source_count) == (2, 1)
    assert Subscription.objects.get().source == new


def states_of_twins(count: int) -> tuple[Source, Source, list[User], list[Item]]:
    """Create two sources with the same entries, where two readers have states of the first's."""
    readers = [make_user(f"reader{n}") for n in range(2)]
    old, new = source_at("http://a.example/feed"), source_at("https://b.example/feed")
    for source in (old, new):
        Subscription.objects.bulk_create(Subscription(user=one, source=source) for one in readers)
    kept = []
    for n in range(count):
        twin, item = make_item(old, f"Twin {n}"), make_item(new, f"Twin {n}")
        key = ItemKey.objects.get(item_id=twin.pk).key_hash
        ItemKey.objects.filter(item_id=item.pk).update(key_hash=key)
        ItemState.objects.create(user=readers[0], item=twin, is_read=True, told_at=NOW)
        ItemState.objects.create(user=readers[1], item=twin, is_saved=True, is_hidden=True)
        kept.append(item)
    return old, new, readers, kept


def test_states_are_carried_over_whole_and_those_of_the_twin_stay() -> None:
    old, new, readers, kept = states_of_twins(2)
    ItemState.objects.create(user=readers[1], item=kept[0], is_read=False)

    adopt_address(old, new.url)

    columns = ("user", "item", "is_read", "is_saved", "is_hidden", "told_at")
    found = ItemState.objects.filter(item__source=new).order_by("user", "item")
    assert list(found.values_list(*columns)) == [
        (readers[0].pk, kept[0].pk, True, False, False, NOW),
        (readers[0].pk, kept[1].pk, True, False, False, NOW),
        (readers[1].pk, kept[0].pk, False, False, False, None),
        (readers[1].pk, kept[1].pk, None, True, True, None),
    ]


@pytest.mark.parametrize("count", [2, 20])
def test_states_are_carried_over_in_as_many_queries_however_many_there_are(
    count: int, django_assert_max_num_queries: Any
) -> None:
    old, new, _, _ = states_of_twins(count)
    with django_assert_max_num_queries(20):
        adopt_address(old, new.url)
    assert ItemState.objects.filter(item__source=new).count() == 2 * count


def test_catalogue_data_is_carried_over_and_a_paused_source_is_resumed() -> None:
    public = source_at("http://cat.example/feed", is_public=True, weight=2.0, pack="labs")
    resting = source_at("https://cat.example/feed", status=PAUSED)
    adopt_address(public, resting.url)
    resting.refresh_from_db()
    assert (resting.status, resting.is_public, resting.pack) == (ACTIVE, True, "labs")
    assert resting.weight == 2.0
    public.refresh_from_db()
    assert (public.status, public.is_public) == (GONE, False)


def test_the_catalogue_does_not_create_a_moved_source_again() -> None:
    entry = {"url": "http://c.example/feed", "title": "C", "pack": "labs"}
    load_catalogue([entry])
    source = Source.objects.get()
    adopt_address(source, "https://c.example/feed")
    assert load_catalogue([entry]) == 0
    assert Source.objects.get(is_public=True).url == "https://c.example/feed"
    assert current_source(Source.objects.get(url=entry["url"])) == source


def test_adding_an_old_address_follows_the_current_source() -> None:
    source = source_at("http://c.example/feed")
    adopt_address(source, "https://c.example/feed")
    reader = make_user()
    assert add_source("http://c.example/feed", user=reader) == source
    assert reader.subscriptions.get().source == source


def test_a_circle_of_moved_sources_is_followed_only_so_far() -> None:
    source_at("http://a.example/", status=GONE, moved_to="http://b.example/")
    there = source_at("http://b.example/", status=GONE, moved_to="http://a.example/")
    assert current_source(there).url.endswith(".example/")
