"""What readers do is their taste: it ranks for them alone, is shown, and can be forgotten."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ainews_site.infra.db_router import Reading, reading_as, write_unseen
from feeds.models import FollowedStory, Impression, Item, ItemState, Source, Story, Subscription
from feeds.reading.feedback import (
    dislike_story,
    follow_story,
    forget_item,
    forget_taste,
    log_impression,
    weigh_source,
    weigh_topic,
)
from feeds.reading.front_page import front_page_sections, log_page
from feeds.reading.marks import set_state
from feeds.reading.ranked import RankedStory, ranked_stories
from feeds.reading.taste import export_taste, known_taste
from feeds.stories.grouping.edit import merge_stories
from feeds.stories.ranking.taste import MAX_SHOWN, taste_of
from feeds.tasks import drop_old_rows
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
AGENTS = "Agents that plan and act: part {}"
CHIPS = "A chip for inference: part {}"
OPENED = 20


def tell(source: Source, title: str, hours: float = 1, **fields: Any) -> Item:
    item = make_item(source, title, published=timezone.now() - timedelta(hours=hours), **fields)
    make_story(item)
    return item


def ranked(user: User) -> list[RankedStory]:
    return ranked_stories(User.objects.get(pk=user.pk))


def find(user: User, title: str) -> RankedStory:
    return next(one for one in ranked(user) if one.title == title)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


def a_history(user: User, source: Source) -> None:
    """Agents were opened, chips were shown and passed over."""
    agents = [tell(source, AGENTS.format(n), 30 + n) for n in range(OPENED)]
    chips = [tell(source, CHIPS.format(n), 30 + n) for n in range(3 * OPENED)]
    pages = [(item.story_id or 0, item.pk) for item in (*agents, *chips)]
    set_state(user, [item.pk for item in agents], opened=True, read=True)
    log_impression(user, pages, timezone.now() - timedelta(hours=1))


def test_stories_like_what_was_opened_stand_above_those_that_were_passed_over() -> None:
    reader, source = make_user(), make_source()
    Subscription.objects.create(user=reader, source=source)
    a_history(reader, source)
    wanted, other = AGENTS.format("the next"), CHIPS.format("the next")
    tell(source, wanted, 2)
    tell(source, other, 1)

    assert find(reader, wanted).score > find(reader, other).score
    assert "like what you opened or saved" in find(reader, wanted).why


def test_another_reader_s_acts_change_nothing() -> None:
    reader, other, source = make_user(), make_user("other"), make_source()
    for user in (reader, other):
        Subscription.objects.create(user=user, source=source)
    a_history(other, source)

    before = [(one.title, one.score) for one in ranked_stories(reader, now=timezone.now())]
    terms = [one.terms for one in ranked_stories(reader)]

    assert before
    assert {term["likeness"] for term in terms} == {0.5}
    assert {term["source"] for term in terms} == {0.5}


def test_a_reader_who_hid_everything_has_an_empty_page_and_a_taste() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    items = [tell(source, f"News {n}") for n in range(3)]

    set_state(reader, [item.pk for item in items], hidden=True)

    assert front_page_sections(reader) == []
    assert [one.word for one in known_taste(reader, timezone.now()).items] == ["hidden"] * 3
    tell(source, "News that came later")
    assert [one.title for one in ranked(reader)] == ["News that came later"]


def test_who_muted_all_topics_sees_what_has_none() -> None:
    reader = make_user(interests={"agents": "mute", "chips": "mute"})
    source = make_source(reader=reader)
    tell(source, "On agents", topics=["agents"])
    tell(source, "On chips", topics=["chips", "llm"])
    tell(source, "On nothing", topics=[])

    assert [one.title for one in ranked(reader)] == ["On nothing"]


def test_a_source_that_is_wanted_more_stands_above_one_that_is_wanted_less() -> None:
    reader = make_user()
    more, less = make_source("more", reader=reader), make_source("less", reader=reader)
    tell(more, "Wanted", 3)
    tell(less, "Unwanted", 1)

    assert weigh_source(reader, more.pk, "more")
    assert weigh_source(reader, less.pk, "less")

    assert [one.title for one in ranked(reader)] == ["Wanted", "Unwanted"]
    assert find(reader, "Wanted").why == "a source you want more of"
    assert not weigh_source(reader, make_source("strange").pk, "more")


def test_what_is_new_of_a_followed_story_stands_first() -> None:
    reader = make_user()
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    tell(one, "Other news", 1)
    item = tell(one, "The first telling", 90)
    assert item.story
    assert follow_story(reader, item.story.pk, True)
    set_state(reader, [item.pk], read=True)
    assert front_page_sections(reader)[0].title != "Stories you follow"

    new = make_item(two, "The next telling", published=timezone.now() + timedelta(seconds=5))
    Item.objects.filter(pk=new.pk).update(story=item.story)

    first = front_page_sections(User.objects.get(pk=reader.pk))[0]
    assert (first.title, len(first.stories)) == ("Stories you follow", 1)
    assert first.stories[0].why.startswith("you follow this story")


def test_who_follows_a_story_that_is_merged_follows_the_other() -> None:
    reader, both = make_user(), make_user("both")
    source = make_source()
    for user in (reader, both):
        Subscription.objects.create(user=user, source=source)
    gone, kept = tell(source, "Gone").story, tell(source, "Kept").story
    assert gone and kept
    for user in (reader, both):
        follow_story(user, gone.pk, True)
    follow_story(both, kept.pk, True)
    version = User.objects.get(pk=reader.pk).version

    merge_stories(kept, [gone])

    rows = FollowedStory.objects.values_list("user", "story").order_by("user")
    assert list(rows) == [(reader.pk, kept.pk), (both.pk, kept.pk)]
    assert User.objects.get(pk=reader.pk).version != version


def test_a_story_of_strangers_cannot_be_followed_and_one_can_always_be_let_go_of() -> None:
    reader = make_user()
    source = make_source("secret", reader=make_user("stranger"))
    story = tell(source, "A secret headline").story
    assert story

    assert not follow_story(reader, story.pk, True)
    assert not follow_story(reader, 1 << 70, True)
    Subscription.objects.create(user=reader, source=source)
    assert follow_story(reader, story.pk, True)
    Subscription.objects.filter(user=reader).delete()

    assert known_taste(reader, timezone.now()).followed[0].title != "A secret headline"
    assert follow_story(reader, story.pk, False)
    assert not FollowedStory.objects.exists()


def test_the_headline_of_a_followed_story_is_one_that_the_reader_may_see() -> None:
    reader = make_user()
    secret = make_item(make_source("secret", reader=make_user("stranger")), "A secret headline")
    shared = make_item(make_source("shared", reader=reader), "The open headline")
    story = make_story(secret, shared)

    follow_story(reader, story.pk, True)

    assert [one.title for one in known_taste(reader, timezone.now()).followed] == [
        "The open headline"
    ]


def test_less_like_this_hides_the_story_counts_once_and_can_be_taken_back() -> None:
    reader = make_user()
    sources = [make_source(name, reader=reader) for name in "abc"]
    items = [make_item(source, f"Told by {source}") for source in sources]
    story = make_story(*items)

    dislike_story(reader, items[0].pk, [item.pk for item in items], True)

    assert ranked(reader) == []
    assert [act.weight for act in taste_of(reader, timezone.now()).acts] == [-2.0]
    dislike_story(reader, items[0].pk, [item.pk for item in items], False)
    assert [one.story.pk for one in ranked(reader)] == [story.pk]
    assert taste_of(reader, timezone.now()).acts == []


def test_a_forgotten_item_counts_no_more_but_stays_saved() -> None:
    reader = make_user()
    item = tell(make_source(reader=reader), "Saved")
    set_state(reader, [item.pk], saved=True, opened=True)
    assert [act.weight for act in taste_of(reader, timezone.now()).acts] == [2.0]

    assert forget_item(reader, item.pk)

    assert taste_of(reader, timezone.now()).acts == []
    assert ItemState.objects.get().is_saved
    assert not forget_item(reader, item.pk)
    assert not forget_item(reader, 1 << 70)


def test_all_of_a_taste_is_forgotten_and_nobody_else_s() -> None:
    reader, other, source = make_user(), make_user("other"), make_source()
    for user in (reader, other):
        Subscription.objects.create(user=user, source=source)
        weigh_topic(user, "agents", "more")
        weigh_source(user, source.pk, "less")
        a_history(user, source)
        follow_story(user, Story.objects.order_by("pk")[0].pk, True)
    before = export_taste(other, timezone.now())

    forget_taste(reader)

    left = export_taste(User.objects.get(pk=reader.pk), timezone.now())
    assert left == {
        "topics": {},
        "topics_learned": {},
        "sources": [],
        "items": [],
        "followed_stories": [],
        "views": 0,
    }
    assert export_taste(User.objects.get(pk=other.pk), timezone.now()) == before


@pytest.mark.parametrize(
    ("topic", "level", "words"),
    [("no-such", "more", "Unknown topic"), ("agents", "huge", "Must be one of mute, less")],
)
def test_a_topic_or_a_level_that_there_is_not_is_told(topic: str, level: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        weigh_topic(make_user(), topic, level)


def test_a_page_is_one_row_and_is_dropped_after_90_days() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    for n in range(30):
        tell(source, f"News {n}", n / 10)

    log_page(reader, front_page_sections(reader))
    Impression.objects.create(
        user=reader, at=timezone.now() - timedelta(days=91), stories=[1], leads=[1]
    )
    drop_old_rows()

    row = Impression.objects.get()
    assert len(row.stories) == len(row.leads) == 30
    assert (row.odd, row.propensity) == (None, 1.0)  # all of one source: nothing is different


def test_a_page_that_shows_nothing_new_is_not_recorded() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    for n in range(5):
        tell(source, f"News {n}", n / 10)
    client = signed_in(reader)

    client.get("/")
    client.get("/")
    other = tell(source, "Something else entirely")
    client.get("/")

    rows = list(Impression.objects.order_by("at"))
    assert [len(row.leads) for row in rows] == [5, 1]
    assert rows[1].leads == [other.pk]
    assert rows[1].stories == [other.story_id]


def test_what_is_still_shown_a_day_later_is_recorded_again() -> None:
    reader = make_user()
    now = timezone.now()

    for hours in (30, 10, 5):
        log_impression(reader, [(1, 11), (2, 22)], now - timedelta(hours=hours))

    assert Impression.objects.count() == 2


def test_a_reader_keeps_as_many_rows_as_are_read() -> None:
    reader, other = make_user(), make_user("other")
    now = timezone.now()
    Impression.objects.bulk_create(
        Impression(user=reader, at=now - timedelta(minutes=n), stories=[n], leads=[n])
        for n in range(250)
    )
    Impression.objects.create(user=other, at=now, stories=[1], leads=[1])

    drop_old_rows()

    own = Impression.objects.filter(user=reader).order_by("-at")
    assert [row.leads[0] for row in own] == list(range(200))
    assert Impression.objects.filter(user=other).count() == 1


def test_the_tenth_of_the_best_is_something_different_with_its_chance_kept() -> None:
    reader = make_user()
    for n in range(40):
        source = make_source(f"s{n}", reader=reader)
        tell(source, f"News {n}", 1 + n / 10, topics=[["agents", "chips", "llm", "rag"][n % 4]])
    for n in range(10):
        tell(make_source(f"odd{n}", reader=reader), f"Odd {n}", 3, topics=[])

    sections = front_page_sections(reader)
    log_page(reader, sections)

    (odd,) = [one for section in sections for one in section.stories if one.is_odd]
    row = Impression.objects.get()
    assert sections[0].stories[9] is odd
    assert odd.why.startswith("something different · ")
    assert (row.odd, row.stories[9]) == (odd.story.pk, odd.story.pk)
    assert 0 < row.propensity < 1


def test_what_was_shown_is_bounded() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    item = tell(source, "Opened")
    set_state(reader, [item.pk], opened=True)
    for n in range(30):
        log_impression(
            reader,
            [(k, 100 * n + k) for k in range(1, 101)],
            timezone.now() + timedelta(minutes=n),
        )

    assert len(taste_of(reader, timezone.now()).shown) <= MAX_SHOWN


def test_items_without_text_in_many_languages_and_of_one_word_are_ranked() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    titles = ["Да", "新しいモデル", "نموذج", "🙂", "?", "Modèle d’agents", "x" * 500, "मॉडल"]
    items = [tell(source, title) for title in titles]
    set_state(reader, [items[0].pk, items[1].pk], opened=True)
    set_state(reader, [items[3].pk], less=True)

    found = ranked(reader)

    assert {one.title for one in found} == set(titles) - {"🙂"}
    assert all(0 <= value <= 1 for one in found for value in one.terms.values())


def test_a_thousand_identical_titles_are_ranked() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    same = [tell(source, "Model released") for _ in range(60)]
    set_state(reader, [item.pk for item in same[:20]], opened=True)

    assert len(ranked(reader)) == 60


# The pages


def test_opening_an_item_or_a_story_and_following_its_link_are_kept_once() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    a, b, c = (tell(source, title) for title in "abc")
    client = signed_in(reader)

    client.get(f"/item/{a.pk}/")
    client.get(f"/story/{b.story_id}/")
    answer = client.post(f"/item/{c.pk}/opened/")
    versions = [User.objects.get().version]
    client.get(f"/item/{a.pk}/")
    client.get(f"/story/{b.story_id}/")
    versions.append(User.objects.get().version)

    assert answer.status_code == 204
    opened = ItemState.objects.filter(is_opened=True, told_at__isnull=False)
    assert set(opened.values_list("item", flat=True)) == {a.pk, b.pk, c.pk}
    assert versions[0] == versions[1]


def test_what_a_reader_cannot_see_cannot_be_opened() -> None:
    item = tell(make_source(reader=make_user("stranger")), "A secret")

    signed_in(make_user()).post(f"/item/{item.pk}/opened/")

    assert not ItemState.objects.exists()


def test_the_home_page_keeps_what_it_showed_and_a_filtered_one_does_not() -> None:
    reader = make_user()
    item = tell(make_source(reader=reader), "News", topics=["agents"])
    client = signed_in(reader)

    client.get("/")
    client.get("/?topic=agents")

    assert [row.leads for row in Impression.objects.all()] == [[item.pk]]


def test_less_like_this_works_as_a_form_and_can_be_undone() -> None:
    reader = make_user()
    item = tell(make_source(reader=reader), "Unwanted")
    client, address = signed_in(reader), f"/story/{item.story_id}/state/"

    plain = client.post(address, {"less": "1"}, follow=True)
    assert b"ll see fewer stories like this" in plain.content
    assert ItemState.objects.get().is_disliked

    client.post(address, {"less": "0"}, headers={"Accept": "application/json"})
    assert not ItemState.objects.get().is_disliked


def test_the_page_of_taste_says_all_and_each_entry_can_be_changed() -> None:
    reader = make_user(interests={"agents": "more"})
    source = make_source("lab", reader=reader)
    item = tell(source, "Opened news", topics=["chips"])
    client = signed_in(reader)
    client.get("/")
    client.get(f"/item/{item.pk}/")
    client.post(f"/story/{item.story_id}/follow/", {"follow": "1"})

    page = client.get("/taste/").content.decode()
    client.post("/topics/agents/level/", {"level": "less"})
    client.post(f"/sources/{source.pk}/level/", {"level": "more"})
    client.post("/taste/forget/", {"item": item.pk})
    client.post(f"/story/{item.story_id}/follow/", {"follow": "0"})

    for words in ("Opened news", "Agents", "Chips", "opened 1 of 1 shown", "Unfollow", "Forget"):
        assert words in page
    left = client.get("/taste/export.json").json()
    assert left["topics"] == {"agents": "less"}
    assert left["sources"][0]["level"] == "more"
    assert (left["items"], left["followed_stories"]) == ([], [])


def test_all_is_deleted_only_where_the_box_is_ticked() -> None:
    reader = make_user(interests={"agents": "more"})
    client = signed_in(reader)

    refused = client.post("/taste/forget/", follow=True)
    assert b"Tick the box" in refused.content
    assert User.objects.get().interests

    client.post("/taste/forget/", {"all": "1"})
    assert not User.objects.get().interests


@pytest.mark.parametrize(
    ("address", "data", "status"),
    [
        ("/taste/forget/", {"item": "nonsense"}, 404),
        ("/taste/forget/", {"item": "9" * 30}, 404),
        ("/topics/agents/level/", {"level": "huge"}, 400),
        ("/topics/nothing/level/", {"level": "more"}, 400),
        ("/sources/99/level/", {"level": "more"}, 404),
        ("/sources/99/level/", {"level": "mute"}, 400),
        ("/story/99999999999999999999/follow/", {"follow": "1"}, 404),
    ],
)
def test_nonsense_is_refused(address: str, data: dict[str, str], status: int) -> None:
    assert signed_in(make_user()).post(address, data).status_code == status


def test_the_queries_of_the_page_do_not_grow(django_assert_num_queries: Any) -> None:
    reader = make_user()
    client = signed_in(reader)

    def do(count: int) -> None:
        source = make_source(f"s{count}", reader=reader)
        items = [tell(source, f"News {count} {n}") for n in range(count)]
        set_state(reader, [item.pk for item in items], opened=True)
        for item in items:
            follow_story(reader, item.story_id or 0, True)
        log_page(reader, front_page_sections(reader))

    def cost_after_change() -> int:
        reader.bump_cache_version()
        with CaptureQueriesContext(connection) as queries:
            client.get("/taste/")
        return len(queries)

    do(2)
    client.get("/taste/")  # from now on, the session is read with its user
    few = cost_after_change()
    do(12)
    assert cost_after_change() == few <= 15
    with django_assert_num_queries(3):
        client.get("/taste/")


def test_the_page_shows_an_act_at_once_and_counts_each_page_view() -> None:
    reader = make_user()
    client = signed_in(reader)
    item = tell(make_source("one", reader=reader), "Kestrels learn chess")
    client.get("/taste/")

    set_state(reader, [item.pk], saved=True)
    log_page(reader, front_page_sections(reader))
    page = client.get("/taste/").content.decode()

    assert "Kestrels learn chess" in page and "1 page so far" in page


def test_the_queries_of_the_home_page_do_not_grow_with_the_taste(
    django_assert_max_num_queries: Any,
) -> None:
    reader = make_user()
    source = make_source(reader=reader)
    a_history(reader, source)
    for n in range(20):
        tell(source, f"News {n}")

    with django_assert_max_num_queries(15):
        front_page_sections(User.objects.get(pk=reader.pk))
    with django_assert_max_num_queries(7):
        front_page_sections(User.objects.get(pk=reader.pk))


def test_an_export_is_plain_json() -> None:
    reader = make_user()
    a_history(reader, make_source(reader=reader))

    found = json.loads(json.dumps(export_taste(reader, timezone.now())))

    assert len(found["items"]) == OPENED
    assert found["items"][0]["done"] == "opened"
    assert datetime.fromisoformat(found["items"][0]["at"]).tzinfo == UTC


def test_keeping_what_was_shown_does_not_tie_a_reader_to_the_primary() -> None:
    reader = make_user()
    reading = Reading()

    with reading_as(reading):
        written = write_unseen(lambda: log_impression(reader, [(1, 1)], timezone.now()))

    assert written
    assert Impression.objects.count() == 1
    assert not reading.has_written
