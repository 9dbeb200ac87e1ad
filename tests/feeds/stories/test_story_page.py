"""A story's page shows its coverage in order of time, and nothing of others' sources."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.models import Item, ItemState, Source, Story
from feeds.stories.grouping.edit import merge_stories
from feeds.stories.story_page import StoryPage, story_page
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def tell(source: Source, title: str, hours: float, **fields: Any) -> Item:
    return make_item(source, title, published=NOW - timedelta(hours=hours), **fields)


def page_of(user: Any, story: Story) -> StoryPage:
    page = story_page(user, story.pk)
    assert isinstance(page, StoryPage)
    return page


def test_coverage_stands_in_order_of_time_with_copies_apart_and_by_day() -> None:
    reader = make_user()
    a, b, c = (make_source(name, reader=reader) for name in "abc")
    first, later = tell(a, "First", 30), tell(b, "Later", 2)
    copy = tell(c, "First", 20, copy_of=first.pk)
    story = make_story(first, later, copy, lead=later)

    page = page_of(reader, story)

    assert (page.lead, page.coverage, page.copies) == (later, [first, later], [copy])
    assert [[item.pk for item in day.items] for day in page.timeline] == [
        [first.pk, copy.pk],
        [later.pk],
    ]
    assert (page.first, page.source_count) == (first, 2)


def test_a_story_without_anything_the_reader_may_see_does_not_exist() -> None:
    reader, stranger = make_user(), make_user("stranger")
    story = make_story(tell(make_source("theirs", reader=stranger), "Secret", 1))

    with pytest.raises(Story.DoesNotExist):
        story_page(reader, story.pk)
    with pytest.raises(Story.DoesNotExist):
        story_page(reader, 1)


def test_the_page_says_nothing_of_others_private_sources() -> None:
    reader, stranger = make_user(), make_user("stranger")
    secret = tell(make_source("theirs", reader=stranger), "Secret", 3, topics=["chips"])
    public = tell(make_source("public", is_public=True), "Open", 2)
    story = make_story(secret, public)

    page = page_of(reader, story)

    assert (page.title, page.coverage, page.topics) == ("Open", [public], [])


def test_a_merged_story_leads_to_where_it_went() -> None:
    reader, stranger = make_user(), make_user("stranger")
    source = make_source("one", reader=reader)
    kept, gone = make_story(tell(source, "Kept", 3)), make_story(tell(source, "Gone", 2))
    merge_stories(kept, [gone])

    assert story_page(reader, gone.pk) == kept.pk
    with pytest.raises(Story.DoesNotExist):
        story_page(stranger, gone.pk)


def test_hidden_tellings_are_left_out_unless_nothing_would_be_left() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    first, second = tell(source, "First", 3), tell(source, "Second", 2)
    story = make_story(first, second)

    ItemState.objects.create(user=reader, item=first, is_hidden=True)
    assert page_of(reader, story).coverage == [second]

    ItemState.objects.create(user=reader, item=second, is_hidden=True)
    assert page_of(reader, story).coverage == [first, second]


def test_related_are_the_stories_most_like_it_that_the_reader_may_see() -> None:
    reader, stranger = make_user(), make_user("stranger")
    mine = make_source("one", reader=reader)
    story = make_story(tell(mine, "Acme opens its robot factory in Lyon", 9, topics=["robotics"]))
    like = make_story(tell(mine, "Robot factory of Acme hires hundreds", 5, topics=["robotics"]))
    make_story(tell(mine, "Court hears a case about copyright", 4, topics=["policy"]))
    theirs = make_source("theirs", reader=stranger)
    make_story(tell(theirs, "Acme robot factory burns in Lyon", 3))

    assert [one.story_id for one in page_of(reader, story).related] == [like.pk]


def test_what_was_hidden_is_no_related_story() -> None:
    reader = make_user()
    mine = make_source("mine", reader=reader)
    story = make_story(tell(mine, "Court hears a case about copyright", 5))
    hidden = tell(mine, "Court hears another case about copyright", 4)
    make_story(hidden)
    ItemState.objects.create(user=reader, item=hidden, is_hidden=True)

    assert page_of(reader, story).related == []


def test_the_number_of_queries_does_not_grow_with_the_coverage(
    django_assert_num_queries: Any,
) -> None:
    reader = make_user()
    story = make_story(
        *[tell(make_source(f"s{n}", reader=reader), f"Telling {n}", n) for n in range(12)]
    )

    with django_assert_num_queries(5):
        [item.source.title for item in page_of(reader, story).coverage]


def test_a_limited_page_has_the_lead_the_first_and_the_newest_items_and_counts_all() -> None:
    reader = make_user()
    sources = [make_source(f"s{n}", reader=reader) for n in range(12)]
    items = [tell(source, f"Telling {n}", 30 - n) for n, source in enumerate(sources)]
    story = make_story(*items, lead=items[3])

    page = story_page(reader, story.pk, 5)
    assert isinstance(page, StoryPage)

    assert page.coverage == [items[0], items[3], *items[-3:]]
    assert (page.lead, page.item_count, page.source_count) == (items[3], 12, 12)
    assert len(page_of(reader, story).coverage) == 12


def test_hidden_items_copies_and_private_ones_of_others_are_not_related() -> None:
    reader, stranger = make_user(), make_user("stranger")
    source = make_source("one", reader=reader)
    story = make_story(tell(source, "Zebra robots learn chess", 5))
    hidden = tell(source, "Zebra robots learn go", 4)
    copy = tell(source, "Zebra robots learn go", 3, copy_of=hidden.pk)
    secret = tell(make_source("theirs", reader=stranger), "Zebra robots learn poker", 2)
    shown = tell(make_source("public", is_public=True), "Zebra robots learn bridge", 1)
    for item in (hidden, copy, secret, shown):
        make_story(item)
    ItemState.objects.create(user=reader, item=hidden, is_hidden=True)
    ItemState.objects.create(user=stranger, item=shown, is_hidden=True)
    tell(source, "Zebra robots learn nothing yet", 1)  # not in a story

    assert [related.item for related in page_of(reader, story).related] == [shown]
