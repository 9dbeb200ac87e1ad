"""A story's page shows its coverage in order of time, and nothing of others' sources."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from feeds.models import Item, ItemState, Source, Story
from feeds.stories import story_members
from feeds.stories.grouping.edit import merge_stories
from feeds.stories.members import MAX_DOTS, MAX_MEMBERS
from feeds.stories.story_page import MAX_ROWS, StoryPage, both_ends, story_page
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def tell(source: Source, title: str, hours: float, **fields: Any) -> Item:
    return make_item(source, title, published=NOW - timedelta(hours=hours), **fields)


def page_of(user: Any, story: Story) -> StoryPage:
    page = story_page(user, story.pk)
    assert isinstance(page, StoryPage)
    return page


def test_coverage_stands_in_order_of_time_with_copies_apart() -> None:
    reader = make_user()
    a, b, c = (make_source(name, reader=reader) for name in "abc")
    first, later = tell(a, "First", 30), tell(b, "Later", 2)
    copy = tell(c, "First", 20, copy_of=first.pk)
    story = make_story(first, later, copy, lead=later)

    page = page_of(reader, story)

    assert (page.lead, page.coverage, page.copies) == (later, [first, later], [copy])
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

    with django_assert_num_queries(3):
        [item.source.title for item in page_of(reader, story).coverage]


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

    assert [other.title for other in page_of(reader, story).related] == [shown.title]


def test_what_arrived_after_the_reader_last_read_the_story_is_fresh() -> None:
    reader = make_user()
    a, b, c = (make_source(name, reader=reader) for name in "abc")
    first, before, after = tell(a, "First", 9), tell(b, "Before", 5), tell(c, "After", 1)
    story = make_story(first, before, after)

    assert page_of(reader, story).fresh == []  # the reader never opened it

    ItemState.objects.create(user=reader, item=first, is_read=True)
    ItemState.objects.update(changed_at=NOW - timedelta(hours=3))
    page = page_of(reader, story)
    assert (page.fresh, page.fresh_count) == ([after], 1)

    ItemState.objects.update(changed_at=NOW)
    assert page_of(reader, story).fresh == []


def test_the_page_of_a_large_story_has_a_bounded_number_of_items() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    items = [tell(source, f"Report {n}", 90 - n) for n in range(MAX_ROWS + 30)]
    story = make_story(*items)

    page = story_page(reader, story.pk, both_ends)

    assert isinstance(page, StoryPage)
    assert [*items[: MAX_ROWS // 2], *items[-MAX_ROWS // 2 :]] == page.coverage
    assert (page.original_count, page.first, page.latest) == (len(items), items[0], items[-1])
    assert len(page.dots) == MAX_DOTS
    assert (page.dots[0], page.dots[-1]) == (items[0], items[-1])


@pytest.fixture
def large() -> tuple[Any, Any, Story, list[Item]]:
    """A reader, a stranger, and a story of many public items and one private one of the stranger,
    who has the newest of all."""
    reader, stranger = make_user(), make_user("stranger")
    sources = [make_source(name, is_public=True) for name in "abc"]
    make_source("secret", reader=stranger)
    secret = Source.objects.get(title="Secret")
    first = tell(sources[0], "Report 0", 400)
    rows = [
        Item(
            id=first.id + n,
            seq=first.seq + n,
            source=sources[n % 3],
            title=f"Report {n}",
            published_at=first.published_at,
            fetched_at=first.published_at,
        )
        for n in range(1, MAX_MEMBERS + 200)
    ]
    Item.objects.bulk_create(rows)
    public = [first, *rows]
    private = Item.objects.create(
        id=rows[-1].id + 1,
        seq=rows[-1].seq + 1,
        source=secret,
        title="Secret report",
        published_at=first.published_at,
        fetched_at=first.published_at,
    )
    story = make_story(*public)
    private.story = story
    private.save()
    return reader, stranger, story, [*public, private]


def test_the_page_of_a_story_of_many_hundreds_reads_few_of_them(
    large: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader, _, story, items = large
    counts = []
    read_rows = story_members.read_rows

    def counted(query: str, values: Any) -> Any:
        members = read_rows(query, values)
        counts.append(len(members))
        return members

    monkeypatch.setattr(story_members, "read_rows", counted)
    monkeypatch.setattr(story_members, "all_members_of", None)
    page = story_page(reader, story.pk, both_ends)

    assert isinstance(page, StoryPage)
    assert counts[0] < 150
    assert page.coverage == [*items[: MAX_ROWS // 2], *items[-MAX_ROWS // 2 - 1 : -1]]
    assert (page.item_count, page.original_count, page.source_count) == (MAX_MEMBERS + 200,) * 2 + (
        3,
    )
    assert len(page.dots) == MAX_DOTS
    assert (page.dots[0], page.dots[-1]) == (items[0], items[-2])
    middle = items.index(page.dots[MAX_DOTS // 2])
    assert MAX_MEMBERS * 0.5 < middle < MAX_MEMBERS


def test_a_large_story_shows_and_counts_nothing_of_others_private_sources(large: Any) -> None:
    reader, stranger, story, items = large
    secret = items[-1]

    for user, sees in ((stranger, True), (reader, False)):
        page = story_page(user, story.pk, both_ends)
        assert isinstance(page, StoryPage)
        assert (secret in page.coverage) == sees
        assert (secret in page.dots) == sees
        assert page.item_count == MAX_MEMBERS + 200

    # A row that counts private items has a private lead, so a reader who does not see it reads all.
    Story.objects.filter(pk=story.pk).update(lead=secret, item_count=5_000, source_count=90)
    page = story_page(reader, story.pk, both_ends)
    assert isinstance(page, StoryPage)
    assert (page.item_count, page.source_count) == (MAX_MEMBERS + 200, 3)


def test_marks_on_a_large_story_count_although_few_of_its_items_are_read(large: Any) -> None:
    reader, _, story, items = large
    old = items[MAX_MEMBERS // 2]
    ItemState.objects.create(user=reader, item=old, is_hidden=True)
    page = story_page(reader, story.pk, both_ends)
    assert isinstance(page, StoryPage)
    assert (page.item_count, page.unread, page.fresh) == (MAX_MEMBERS + 199, True, [])

    ItemState.objects.create(user=reader, item=items[MAX_MEMBERS // 2 + 1], is_read=True)
    page = story_page(reader, story.pk, both_ends)
    assert isinstance(page, StoryPage)
    assert not page.unread


def test_a_new_item_of_a_large_story_is_shown_at_once(large: Any) -> None:
    reader, _, story, items = large
    story_page(reader, story.pk, both_ends)
    new = tell(items[0].source, "The newest", 399, story=story)
    Story.objects.filter(pk=story.pk).update(last_seq=new.seq, item_count=story.item_count + 1)
    page = story_page(reader, story.pk, both_ends)
    assert isinstance(page, StoryPage)
    assert page.latest == new
