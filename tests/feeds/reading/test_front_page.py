"""A reader's stories: their own sources only, best first, by day, in few queries."""

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from accounts.models import User
from feeds.models import Folder, Item, ItemKey, ItemState, Source, Story, Subscription
from feeds.reading import ranked
from feeds.reading.feedback import follow_story, weigh_topic
from feeds.reading.front_page import front_page_sections
from feeds.reading.marks import mark_all_read, set_state
from feeds.reading.ranked import MAX_SHOWN, RankedStory, ranked_stories
from feeds.sources.subscriptions import unsubscribe
from feeds.stories.coverage import is_unread, lead_first, settle_copies
from feeds.stories.members import MAX_DOTS, MAX_MEMBERS
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
    assert sections[0].stories[0].story.pk == big.pk
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
    with django_assert_num_queries(7):
        front_page_sections(reader, now=NOW)  # and reads what all readers share
    for n in range(20):
        make_story(tell(make_source(f"many{n}", reader=reader), f"More {n}", n))

    with django_assert_num_queries(6):
        sections = front_page_sections(reader, now=NOW)
        [(one.title, one.unread, one.lead.source.title) for s in sections for one in s.stories]


def expected(user: User, story_id: int, followed: set[int]) -> tuple[Any, ...]:
    """What a row of the front page says, from all rows of all items, one at a time."""
    items = [
        item
        for item in Item.objects.filter(story=story_id, source__in=followed).order_by("pk")
        if not ItemState.objects.filter(user=user, item=item, is_hidden=True).exists()
    ]
    for item in items:
        state = ItemState.objects.filter(user=user, item=item).first()
        upto = Subscription.objects.get(user=user, source=item.source_id).read_up_to
        explicit = state.is_read if state else None
        item.is_read = item.seq <= upto if explicit is None else explicit  # type: ignore[attr-defined]
        item.read_at = state.changed_at if state and state.is_read else None  # type: ignore[attr-defined]
        item.is_saved = bool(state and state.is_saved)  # type: ignore[attr-defined]
    settle_copies(items, Item.objects.visible_to(user))
    story = Story.objects.get(pk=story_id)
    ordered = lead_first(story, items)
    return (
        [item.pk for item in ordered],
        len({item.source_id for item in items if item.copy_of is None}) or 1,
        is_unread(items),
        {item.pk: (item.copy_of, item.is_read, item.read_at, item.is_saved) for item in items},  # type: ignore[attr-defined]
    )


@pytest.mark.parametrize("seed", range(4))
def test_rows_say_what_all_items_of_their_stories_say(seed: int) -> None:
    rng = random.Random(seed)
    reader, stranger = make_user(), make_user("stranger")
    own = [make_source(f"own{n}", reader=reader, is_public=n % 2 == 0) for n in range(4)]
    foreign = [make_source("public", is_public=True), make_source("secret", reader=stranger)]
    for _ in range(12):
        items: list[Item] = []
        for n in range(rng.randint(1, 7)):
            original = rng.choice(items).pk if items and rng.random() < 0.3 else None
            source = rng.choice([*own, *own, *foreign])
            items.append(tell(source, f"{n}", rng.uniform(1, 150), copy_of=original))
        make_story(*items, lead=rng.choice(items))
        for item in items:
            if rng.random() < 0.3:
                ItemState.objects.create(
                    user=rng.choice([reader, reader, stranger]),
                    item=item,
                    is_read=rng.choice([None, True, False]),
                    is_saved=rng.random() < 0.3,
                    is_hidden=rng.random() < 0.2,
                )
    ItemState.objects.filter(pk__gte=0).update(changed_at=NOW - timedelta(hours=40))
    newest = Item.objects.order_by("-seq").values_list("seq", flat=True)[0]
    Subscription.objects.filter(source=own[0]).update(read_up_to=newest // 2)

    ranked = ranked_stories(reader, now=NOW)
    assert ranked
    followed = {source.pk for source in own}
    for row in ranked:
        order, sources, unread, states = expected(reader, row.story.pk, followed)
        shown = [item.pk for item in row.items]
        assert shown == [pk for pk in order if pk in set(shown)]
        assert (shown[0], len(shown)) == (order[0], min(len(order), MAX_SHOWN))
        assert (row.source_count, row.unread, row.coverage_count) == (sources, unread, len(order))
        assert {
            item.pk: (item.copy_of, item.is_read, item.read_at, item.is_saved)  # type: ignore[attr-defined]
            for item in row.items
        } == {pk: states[pk] for pk in shown}
        assert [dot.source_id for dot in row.dots] == [
            Item.objects.get(pk=pk).source_id for pk in sorted(order)
        ]


def test_a_row_shows_the_first_of_each_source_before_further_ones() -> None:
    reader = make_user()
    loud, *quiet = [make_source(f"s{n}", reader=reader) for n in range(3)]
    many = [tell(loud, f"Loud {n}", 30 - n) for n in range(8)]
    others = [tell(source, "Quiet", 3) for source in quiet]
    make_story(*many, *others)

    assert only(reader).items == [*many[:4], *others]


def test_a_story_with_very_many_items_costs_no_more(django_assert_num_queries: Any) -> None:
    reader = make_user()
    source, second = make_source("loud", reader=reader), make_source("second", reader=reader)
    first = tell(second, "It began here", 100)
    lead = tell(source, "The lead", 99)
    story = make_story(first, lead, lead=lead, title=lead.title)
    template = {"source": source, "story": story, "published_at": NOW, "fetched_at": NOW}
    number = MAX_MEMBERS + 200
    Item.objects.bulk_create(
        Item(id=lead.pk + (n << 20), seq=10_000 + n, title=f"Again {n}", **template)
        for n in range(1, number + 1)
    )
    ItemKey.objects.create(seq=10_000 + number, source=source, key_hash=0, alt_hash=0)
    Story.objects.update(item_count=number + 2, source_count=2)
    ranked_stories(reader, now=NOW)  # reads what all readers share

    with django_assert_num_queries(6):
        row = only(reader)

    assert (row.title, row.source_count, row.coverage_count) == ("The lead", 2, number + 2)
    assert (len(row.items), len(row.dots), row.unread) == (MAX_SHOWN, MAX_DOTS, True)
    # The row does not read this item, but reading it counts.
    ItemState.objects.create(user=reader, item=first, is_read=True)
    assert not only(reader).unread


def test_a_ranking_is_made_once_and_yet_never_old(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each act is one of another tab, so that the page begins with the row of the user."""
    make_user()
    source, other = (make_source(name, reader=User.objects.get()) for name in ("one", "two"))
    first = tell(source, "First", 3)
    second = tell(other, "Second", 2, topics=["agents"])
    story = make_story(first)
    make_story(second)
    made: list[None] = []
    score = ranked.score_all
    monkeypatch.setattr(
        ranked,
        "score_all",
        lambda *args, **named: (made.append(None), score(*args, **named))[1],
    )

    def shown() -> set[tuple[str, bool]]:
        return {(row.title, row.unread) for row in ranked_stories(User.objects.get(), now=NOW)}

    def act(function: Any, *args: Any, **named: Any) -> None:
        function(User.objects.get(), *args, **named)

    assert shown() == shown() == {("First", True), ("Second", True)}
    assert len(made) == 1

    act(set_state, [first.pk], read=True)
    assert shown() == {("First", False), ("Second", True)}
    act(set_state, [first.pk], read=False)
    assert shown() == {("First", True), ("Second", True)}
    act(mark_all_read, None, second.seq)
    assert ("Second", False) in shown()

    make_story(tell(source, "Third", 1))
    assert ("Third", True) in shown()
    tell(other, "More of the first", 1, story=story)
    assert any(row.source_count == 2 for row in ranked_stories(User.objects.get(), now=NOW))

    act(weigh_topic, "agents", "mute")
    assert "Second" not in dict(shown())
    act(weigh_topic, "agents", "normal")
    assert "Second" in dict(shown())
    act(set_state, [second.pk], hidden=True)
    assert "Second" not in dict(shown())
    act(follow_story, story.pk, True)
    assert [r.is_followed for r in ranked_stories(User.objects.get(), now=NOW)].count(True) == 1
    act(unsubscribe, source)
    assert dict(shown()).keys() == {"More of the first"}
    Item.objects.filter(source=other).update(title="Corrected")
    assert dict(shown()).keys() == {"Corrected"}


def test_few_rankings_are_cached() -> None:
    for number in range(ranked.MAX_RANKINGS * 2):
        ranked._ranked_once(str(number), list)

    assert list(ranked._rankings) == [str(50 + n) for n in range(ranked.MAX_RANKINGS)]
