"""An edition goes on from those before it: nothing is told twice, and news of it is named."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from digests.editions.write import write_digest
from digests.models import Digest
from feeds.models import Story, StoryRedirect
from tests.digests.make import TEXT
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def test_news_of_a_story_told_days_ago_says_what_was_told_and_when() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    story = make_story(make_item(source, "A lab has a model", published=NOW - timedelta(hours=2)))
    write_digest(reader, now=NOW)
    write_digest(reader, now=NOW + DAY)
    later = NOW + 2 * DAY
    news = "The model with seven billion weights is withdrawn after a complaint."
    make_item(source, "The model is withdrawn", text=news, published=later - DAY / 9, story=story)

    content = write_digest(reader, now=later).content

    told = content["stories"][0]
    assert told["headline"] == "The model is withdrawn"
    assert told["before"] == {"headline": "A lab has a model", "date": "2026-05-20"}
    assert [s["text"] for s in told["sentences"]] == [news]


def test_a_story_that_was_merged_is_known_under_its_new_number() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    item = make_item(source, "A lab has a model", published=NOW - timedelta(hours=2))
    make_story(item)
    write_digest(reader, now=NOW)
    other = make_item(source, "Elsewhere", published=NOW - timedelta(hours=30))
    merged = make_story(other)
    StoryRedirect.objects.create(old_id=item.pk, story=merged)
    type(item).objects.filter(pk=item.pk).update(story=merged)
    Story.objects.filter(pk=item.pk).delete()

    content = write_digest(reader, now=NOW + DAY).content

    assert content["stories"] == []
    assert content["unchanged"] == 1


def test_an_item_that_was_cited_is_no_news_in_another_story() -> None:
    reader = make_user()
    item = make_item(make_source("one", reader=reader), published=NOW - timedelta(hours=2))
    make_story(item)
    write_digest(reader, now=NOW)
    fresh = make_item(make_source("two", reader=reader), "Apart", published=NOW + DAY / 2)
    make_story(fresh, item)

    story = write_digest(reader, now=NOW + DAY).content["stories"][0]

    assert [c["item_id"] for c in story["citations"]] == [fresh.pk]


def test_what_was_only_noted_is_not_noted_again() -> None:
    reader = make_user()
    for n in range(12):
        source = make_source(f"outlet{n}", reader=reader)
        make_story(make_item(source, f"Story {n}", published=NOW - timedelta(hours=n + 1)))
    first = write_digest(reader, now=NOW).content
    second = write_digest(reader, now=NOW + DAY / 2 + DAY / 2).content

    assert first["also"]
    noted = {also["story_id"] for also in first["also"]}
    assert not noted & {one["story_id"] for one in (*second["also"], *second["stories"])}


def test_also_noted_keeps_the_stories_of_a_topic_together() -> None:
    reader = make_user()
    for n in range(14):
        source = make_source(f"outlet{n}", reader=reader)
        topics = [["agents"], ["openai"], []][n % 3]
        item = make_item(source, f"Story {n}", published=NOW - timedelta(hours=1), topics=topics)
        make_story(item)

    also = write_digest(reader, now=NOW).content["also"]

    topics = [note["topic"] for note in also]
    assert len(set(topics)) > 1
    changes = sum(a != b for a, b in pairwise(topics))
    assert changes == len(set(topics)) - 1
    assert "Other news" not in topics or topics[-1] == "Other news"


def test_everyone_s_edition_tells_of_public_sources_alone() -> None:
    reader = make_user()
    public = make_source("public", is_public=True)
    private = make_source("private", reader=reader)
    shown = make_item(public, "For all", text=TEXT, published=NOW - timedelta(hours=2))
    hidden = make_item(
        private, "A secret headline", published=NOW - timedelta(hours=3), topics=["agents"]
    )
    make_story(hidden, shown, topics=["agents"])
    make_story(make_item(private, "Another secret", published=NOW - timedelta(hours=3)))

    digest = write_digest(None, now=NOW)

    assert digest.user is None
    assert [s["headline"] for s in digest.content["stories"]] == ["For all"]
    assert "ecret" not in str(digest.content)
    assert digest.content["stories"][0]["topics"] == []
    assert digest.content["item_count"] == 1


def test_a_weekly_edition_tells_of_the_week() -> None:
    reader = make_user(digest_days="2", digest_hour=12)
    source = make_source("one", reader=reader)
    make_story(make_item(source, "On Friday", text=TEXT, published=NOW - 5 * DAY))
    make_story(make_item(source, "Long ago", text=TEXT, published=NOW - 9 * DAY))

    digest = write_digest(reader, now=NOW)

    assert [s["headline"] for s in digest.content["stories"]] == ["On Friday"]
    assert digest.content["days"] == 7
    assert digest.starts_at == NOW - 7 * DAY


def test_an_edition_of_an_earlier_version_goes_on() -> None:
    reader = make_user()
    source = make_source("one", reader=reader)
    story = make_story(make_item(source, published=NOW - timedelta(hours=2)))
    old = write_digest(reader, now=NOW)
    content = {
        "stories": [
            {k: v for k, v in s.items() if k not in ("why", "reasons", "written_by", "before")}
            for s in old.content["stories"]
        ],
        "also": [{"story_id": 7, "title": "Old", "source": "One"}],
        "item_count": 1,
        "source_count": 1,
        "minutes": 1,
    }
    Digest.objects.update(content=content, starts_at=None, ends_at=None)
    make_item(source, "News", text=TEXT, published=NOW + DAY / 2, story=story)

    again = write_digest(reader, now=NOW + DAY).content["stories"]

    assert again[0]["before"]["headline"] == story.title
