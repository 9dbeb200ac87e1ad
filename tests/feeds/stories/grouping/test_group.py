"""Grouping items of the database into stories, repairing them, and correcting them by hand."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feeds.models import Item, ItemKey, Lease, Story, StoryRedirect
from feeds.stories.grouping import group
from feeds.stories.grouping.edit import (
    delete_items,
    delete_stories,
    merge_stories,
    move_item,
    split_story,
)
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.refresh import refresh_stories
from feeds.stories.grouping.repair import repair_stories
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db

EVENT = [
    "Orbit Labs releases Kestrel, an open model with 40 billion parameters",
    "Kestrel, the open 40 billion parameter model of Orbit Labs, is out",
    "Orbit Labs opens its Kestrel model: 40 billion parameters for everyone",
]
OTHER = [
    "Court fines scraping company over copied newspaper archives",
    "Compiler update halves build times of large Rust projects",
    "City council tests cameras that count bicycles at crossings",
    "New benchmark measures how robots fold laundry",
    "Hospital reports fewer errors with a dosage assistant",
]


def make_news() -> dict[str, Item]:
    """One event in three outlets among other news."""
    items = {}
    now = timezone.now()
    for number, title in enumerate([*EVENT, *OTHER]):
        source = make_source(f"outlet{number}")
        items[title] = make_item(source, title, published=now - timedelta(hours=9 - number))
    return items


def story_of(item: Item) -> int | None:
    item.refresh_from_db()
    return item.story_id


def test_a_story_of_one_item_has_the_row_that_a_refresh_computes() -> None:
    make_news()
    Item.objects.update(topics=["robotics", "chips"])
    group_new_items()
    rows = list(Story.objects.order_by("pk").values())
    assert sum(row["item_count"] == 1 for row in rows) == len(OTHER)

    Story.objects.update(title="", last_seq=0, topics=[], source_count=9)
    refresh_stories(Story.objects.values_list("pk", flat=True))

    assert list(Story.objects.order_by("pk").values()) == rows


def test_a_story_that_waits_for_its_item_is_refreshed() -> None:
    (item,) = [make_item(make_source("outlet"), OTHER[0])]
    Story.objects.create(
        pk=item.pk, title="Old", first_at=item.published_at, last_at=item.published_at
    )

    group_new_items()

    assert Story.objects.get().title == OTHER[0]


def test_new_stories_are_written_by_few_statements() -> None:
    make_news()

    with CaptureQueriesContext(connection) as queries:
        group_new_items()

    updates = [q["sql"] for q in queries if "UPDATE feeds_item" in q["sql"]]
    assert "WHERE id IN" in updates[0]
    assert len(updates) == 2 and updates[1].startswith("2 times")


def test_the_tellings_of_one_event_become_one_story() -> None:
    items = make_news()
    assert group_new_items() == len(items)
    stories = {story_of(items[title]) for title in EVENT}
    assert len(stories) == 1
    story = Story.objects.get(pk=stories.pop())
    assert (story.item_count, story.source_count, story.copy_count) == (3, 3, 0)
    assert story.lead == items[EVENT[0]]
    assert Story.objects.count() == 1 + len(OTHER)
    assert group_new_items() == 0


def test_an_item_that_arrives_later_joins_the_story() -> None:
    make_news()
    group_new_items()
    late = make_item(make_source("late"), "Kestrel of Orbit Labs tested: open 40 billion model")
    assert group_new_items() == 1
    story = Story.objects.get(pk=story_of(late))
    assert story.item_count == 4
    assert story.last_seq == late.seq


def test_the_stories_are_read_again_when_another_process_grouped_between() -> None:
    make_news()
    group_new_items()
    Lease.objects.update(holder="another process")
    late = make_item(make_source("late"), "Kestrel of Orbit Labs tested: open 40 billion model")
    group_new_items()
    assert Story.objects.get(pk=story_of(late)).item_count == 4


def test_nothing_is_grouped_while_another_process_does() -> None:
    make_news()
    soon = timezone.now() + timedelta(minutes=5)
    Lease.objects.create(name="group", holder="another process", until=soon)
    assert group_new_items() == 0
    Lease.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert group_new_items() > 0


def test_a_copy_is_known_as_one_and_counts_for_no_source() -> None:
    title = "Agency wire: the summit on model safety ends without a treaty"
    now = timezone.now()
    first = make_item(make_source("wire"), title, published=now - timedelta(hours=5))
    copy = make_item(make_source("local"), title, published=now - timedelta(hours=1))
    group_new_items()
    assert story_of(copy) == story_of(first)
    assert copy.copy_of == first.pk
    story = Story.objects.get(pk=first.story_id)
    assert (story.item_count, story.source_count, story.copy_count) == (2, 1, 1)


def test_what_could_not_be_written_is_grouped_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    title, now = "Bank loses nine million to cloned voice in a call", timezone.now()
    first = make_item(make_source("wire"), title, published=now - timedelta(hours=2))
    copy = make_item(make_source("local"), title, published=now - timedelta(hours=1))

    def fail(stories: Iterable[int]) -> None:
        raise OperationalError("database is locked")

    with monkeypatch.context() as patched, pytest.raises(OperationalError):
        patched.setattr(group, "refresh_stories", fail)
        group_new_items()
    group_new_items()

    assert story_of(copy) == story_of(first)
    assert (first.copy_of, copy.copy_of) == (None, first.pk)


def test_two_versions_of_a_thing_are_two_stories() -> None:
    make_item(make_source("one"), "Windsurf Next 1.9577.1020")
    make_item(make_source("two"), "Windsurf Next 1.9580.44")
    group_new_items()
    assert Story.objects.count() == 2


def test_an_archive_is_grouped_near_its_own_time() -> None:
    old = timezone.now() - timedelta(days=400)
    first = make_item(make_source("one"), EVENT[0], published=old)
    second = make_item(make_source("two"), EVENT[1], published=old + timedelta(hours=2))
    now = make_item(make_source("three"), EVENT[2])
    for number, title in enumerate(OTHER):
        make_item(make_source(f"o{number}"), title, published=old)
    group_new_items()
    assert story_of(first) == story_of(second) != story_of(now)


def test_repair_makes_the_stories_independent_of_the_order_of_arrival() -> None:
    items = make_news()
    for title in EVENT:
        item = items[title]
        make_story(item)
        item.refresh_from_db()
    group_new_items()
    assert len({story_of(items[title]) for title in EVENT}) == 3
    assert repair_stories() == 2
    (story,) = {story_of(items[title]) for title in EVENT}
    assert StoryRedirect.objects.filter(story=story).count() == 2
    assert repair_stories() == 0


def test_what_was_merged_by_hand_stays_together() -> None:
    items = make_news()
    group_new_items()
    one, two = (items[title] for title in OTHER[:2])
    stories = [Story.objects.get(pk=story_of(item)) for item in (one, two)]
    merge_stories(stories[0], [stories[1]])
    repair_stories()
    assert story_of(one) == story_of(two) == stories[0].pk
    assert StoryRedirect.objects.get(old_id=stories[1].pk).story_id == stories[0].pk


def test_what_was_split_by_hand_stays_apart() -> None:
    items = make_news()
    group_new_items()
    first = items[EVENT[0]]
    story = Story.objects.get(pk=story_of(first))
    new = split_story(story, [first])
    repair_stories()
    assert story_of(first) == new.pk != story.pk
    story.refresh_from_db()
    assert story.item_count == 2


def test_an_item_of_a_deleted_split_does_not_go_back_to_the_old_story() -> None:
    items = make_news()
    group_new_items()
    first = items[EVENT[0]]
    old = Story.objects.get(pk=story_of(first))
    new = split_story(old, [first])

    delete_stories([new])
    group_new_items()
    repair_stories()

    assert story_of(first) not in (None, old.pk)
    old.refresh_from_db()
    assert old.item_count == 2


def test_an_item_of_a_deleted_split_follows_neither_where_the_old_story_went() -> None:
    items = make_news()
    group_new_items()
    first, other = items[EVENT[0]], items[OTHER[0]]
    old = Story.objects.get(pk=story_of(first))
    new = split_story(old, [first])
    merge_stories(Story.objects.get(pk=story_of(other)), [old])

    delete_stories([new])
    group_new_items()

    assert story_of(first) != story_of(items[EVENT[1]]) == story_of(other)
    assert not StoryRedirect.objects.filter(old_id=story_of(first)).exists()


def test_a_person_may_put_it_back_and_then_it_is_grouped_as_any_other() -> None:
    items = make_news()
    group_new_items()
    first = items[EVENT[0]]
    old = Story.objects.get(pk=story_of(first))
    split_story(old, [first])
    first.refresh_from_db()

    move_item(first, old)
    delete_stories([old])
    group_new_items()

    assert len({story_of(items[title]) for title in EVENT}) == 1


def test_the_items_of_a_story_that_was_merged_by_hand_are_grouped_anew_once_it_is_deleted() -> None:
    items = make_news()
    group_new_items()
    one, two = (Story.objects.get(pk=story_of(items[title])) for title in (EVENT[0], OTHER[0]))
    merge_stories(one, [two])

    delete_stories([one])
    group_new_items()

    assert len({story_of(items[title]) for title in EVENT}) == 1
    assert story_of(items[EVENT[0]]) != story_of(items[OTHER[0]])


def test_what_was_merged_and_split_again_leads_nowhere_else() -> None:
    items = make_news()
    one, two = make_story(items[OTHER[0]]), make_story(items[OTHER[1]])
    merge_stories(two, [one])
    assert StoryRedirect.objects.get(old_id=one.pk).story == two

    new = split_story(two, two.items.filter(pk=one.pk))

    assert not StoryRedirect.objects.filter(old_id=new.pk).exists()


def test_a_story_keeps_an_item_when_it_is_split() -> None:
    item = make_item(make_source())
    story = make_story(item)
    item.refresh_from_db()
    with pytest.raises(ValueError, match="must stay"):
        split_story(story, [item])


def test_an_item_is_moved_and_its_empty_story_leads_to_the_new_one() -> None:
    items = make_news()
    group_new_items()
    one, two = (items[title] for title in OTHER[:2])
    old, target = story_of(one), Story.objects.get(pk=story_of(two))
    move_item(Item.objects.get(pk=one.pk), target)
    assert story_of(one) == target.pk
    assert StoryRedirect.objects.get(old_id=old).story_id == target.pk


def test_a_headline_written_by_a_person_stays() -> None:
    items = make_news()
    group_new_items()
    story = Story.objects.get(pk=story_of(items[EVENT[0]]))
    Story.objects.filter(pk=story.pk).update(title="Kestrel is out", title_pinned=True)
    make_item(make_source("late"), "Kestrel of Orbit Labs tested: open 40 billion model")
    group_new_items()
    story.refresh_from_db()
    assert (story.title, story.item_count) == ("Kestrel is out", 4)


def test_a_deleted_item_leaves_its_story_right_and_does_not_come_back() -> None:
    items = make_news()
    group_new_items()
    story = Story.objects.get(pk=story_of(items[EVENT[0]]))
    delete_items([items[EVENT[0]], items[OTHER[0]]])
    story.refresh_from_db()
    assert (story.item_count, story.lead) == (2, items[EVENT[1]])
    assert not Story.objects.filter(items=None).exists()
    assert ItemKey.objects.filter(item_id=None).count() == 2
