"""A reader's stories: their own sources only, best first, by day, in few queries."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from feeds.models import Folder, Item, ItemState, Source, Subscription
from feeds.reading.front_page import RankedStory, front_page_sections, ranked_stories
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def tell(source: Source, title: str, hours: float, **fields: Any) -> Item:
    return make_item(source, title, published=NOW - timedelta(hours=hours), **fields)


def titles(user: User, **filters: Any) -> list[str]:
    return [one.title for one in ranked_stories(user, now=NOW, **filters)]


def only(user: User) -> RankedStory:
    (one,) = ranked_stories(user, now=NOW)
    return one


def test_stories_stand_in_sections_by_day() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    for title, hours in (("Now", 1), ("Before", 20), ("Long ago", 100), ("Forgotten", 200)):
        make_story(tell(source, title, hours))

    sections = front_page_sections(reader, now=NOW)

    assert [(s.title, [one.title for one in s.stories]) for s in sections] == [
        ("Today", ["Now"]),
        ("Yesterday", ["Before"]),
        ("Earlier", ["Long ago"]),
    ]


def test_days_are_those_of_the_reader_s_time_zone() -> None:
    reader = make_user(time_zone="Pacific/Auckland")
    make_story(tell(make_source("one", reader=reader), "At noon of the day before", 13))

    assert front_page_sections(reader, now=NOW)[0].title == "Yesterday"


def test_with_many_stories_the_best_stand_above_the_days_and_not_twice() -> None:
    reader = make_user()
    sources = [make_source(f"s{n}", reader=reader) for n in range(8)]
    big = make_story(*[tell(source, "Everyone tells it", 3) for source in sources])
    for n in range(14):
        make_story(tell(sources[n % 8], f"Little news {n}", 2 + n))

    sections = front_page_sections(reader, now=NOW)
    shown = [one.story.pk for section in sections for one in section.stories]

    assert sections[0].title == "Top stories"
    assert sections[0].stories[0].story == big
    assert len(shown) == len(set(shown)) == 15


def test_a_reader_sees_only_coverage_by_their_own_sources() -> None:
    reader, stranger = make_user(), make_user("stranger")
    secret = tell(make_source("secret", reader=stranger), "A secret headline", 5, topics=["chips"])
    shared = tell(make_source("shared", reader=reader), "The open headline", 4)
    make_story(secret, shared)
    make_story(tell(make_source("other", reader=stranger), "Not mine", 3))

    one = only(reader)

    assert (one.title, one.items, one.source_count, one.topics) == (shared.title, [shared], 1, ())


def test_the_lead_stands_first_and_copies_last_and_count_as_no_source() -> None:
    reader = make_user()
    a, b, c = (make_source(name, reader=reader) for name in "abc")
    first = tell(a, "First", 5)
    copy = tell(b, "First", 4, copy_of=first.pk)
    lead = tell(c, "Best told", 3)
    make_story(first, copy, lead, lead=lead, title=lead.title)

    one = only(reader)

    assert one.items == [lead, first, copy]
    assert (one.title, one.source_count, one.other_sources) == ("Best told", 2, 1)
    assert one.why == "2 sources"


def test_hidden_items_and_muted_topics_are_left_out() -> None:
    reader = make_user(interests={"agents": "mute"})
    source = make_source("one", reader=reader)
    hidden = tell(source, "Hidden", 1)
    make_story(hidden)
    make_story(tell(source, "Muted", 2, topics=["agents"]))
    make_story(tell(source, "Shown", 3))
    ItemState.objects.create(user=reader, item=hidden, is_hidden=True)

    assert titles(reader) == ["Shown"]
    assert titles(reader, topic="agents") == ["Muted"]


def test_a_folder_shows_its_sources_and_those_of_the_folders_within() -> None:
    reader, stranger = make_user(), make_user("stranger")
    parent = Folder.objects.create(user=reader, name="Labs")
    child = Folder.objects.create(user=reader, name="Big labs", parent=parent)
    inside = make_source("inside", reader=reader)
    Subscription.objects.filter(source=inside).update(folder=child)
    make_story(tell(inside, "Inside", 1))
    make_story(tell(make_source("outside", reader=reader), "Outside", 2))
    theirs = Folder.objects.create(user=stranger, name="Theirs")

    assert titles(reader, folder_id=parent.pk) == ["Inside"]
    assert titles(reader, folder_id=theirs.pk) == []


def test_reading_one_telling_reads_the_story_until_something_new_is_told() -> None:
    reader = make_user()
    a, b, c = (make_source(name, reader=reader) for name in "abc")
    first, second = tell(a, "First", 5), tell(b, "Second", 4)
    story = make_story(first, second)
    assert only(reader).unread

    ItemState.objects.create(user=reader, item=first, is_read=True)
    ItemState.objects.update(changed_at=NOW - timedelta(hours=3))
    assert not only(reader).unread

    copy = tell(c, "Second", 2, story=story, copy_of=second.pk)
    assert not only(reader).unread

    Item.objects.filter(pk=copy.pk).update(copy_of=None)
    assert only(reader).unread


def test_what_was_marked_as_read_with_all_else_is_read() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    item = tell(source, "Marked", 2)
    make_story(item)
    Subscription.objects.update(read_up_to=item.seq)

    assert not only(reader).unread


def test_a_topic_the_reader_follows_lifts_a_story_and_is_said() -> None:
    reader = make_user(interests={"agents": "more"})
    source = make_source("one", reader=reader)
    make_story(tell(source, "Newer", 4))
    make_story(tell(source, "Wanted", 5, topics=["agents"]))

    first = ranked_stories(reader, now=NOW)[0]

    assert (first.title, first.why) == ("Wanted", "topic you follow: Agents")


def test_a_reader_without_sources_has_no_stories() -> None:
    assert front_page_sections(make_user(), now=NOW) == []


def test_the_number_of_queries_does_not_grow_with_the_stories(
    django_assert_num_queries: Any,
) -> None:
    reader = make_user()
    for n in range(3):
        make_story(tell(make_source(f"few{n}", reader=reader), f"News {n}", n))
    with django_assert_num_queries(10):
        front_page_sections(reader, now=NOW)  # and reads what all readers share
    for n in range(20):
        make_story(tell(make_source(f"many{n}", reader=reader), f"More {n}", n))

    with django_assert_num_queries(7):
        sections = front_page_sections(reader, now=NOW)
        [(one.title, one.unread, one.lead.source.title) for s in sections for one in s.stories]
