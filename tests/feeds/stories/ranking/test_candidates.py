"""What all readers share of the last days, and that each gets exactly their own of it."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from accounts.models import User
from ainews_site.infra import memo
from feeds.coordination.revisions import GROUPING, bump_revision, news_for
from feeds.models import Item, ItemState, Subscription
from feeds.reading.marks import set_state
from feeds.stories.grouping.edit import delete_items, merge_stories, move_item, split_story
from feeds.stories.ranking import candidates
from feeds.stories.ranking.candidates import SHOWN_DAYS, recent_articles
from feeds.stories.ranking.taste import taste_of
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
Row = tuple[int, int, int, int | None, list[str]]


def queried_rows(user: User, most: int = 3_000) -> list[Row]:
    """The same rows by one query, without a cache."""
    hidden = ItemState.objects.filter(user=user, is_hidden=True).values("item_id")
    rows = (
        Item.objects.subscribed_by(user)
        .exclude(pk__in=hidden)
        .filter(story__isnull=False)
        .since(NOW - timedelta(days=SHOWN_DAYS))
        .newest_first()
        .values_list("id", "story_id", "source_id", "copy_of", "topics")
    )
    return list(rows[:most])


def cached_rows(user: User) -> list[Row]:
    news = news_for(user)
    hidden = taste_of(user, NOW, news.cache_version).hidden
    sources = set(user.subscriptions.values_list("source", flat=True))
    found = recent_articles(sources, hidden, NOW, news)
    columns = [values.tolist() for values in found[:-1]]
    return [(*row[:3], row[3] or None, found.names[row[4]]) for row in zip(*columns, strict=True)]


@pytest.mark.parametrize("seed", range(4))
def test_each_reader_gets_what_a_query_would_find_whatever_happens(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(candidates, "CHUNK", 7)
    chance = random.Random(seed)
    readers = [make_user(name) for name in ("one", "two")]
    sources = [make_source(f"s{n}") for n in range(30)]
    for number, reader in enumerate(readers):
        for source in chance.sample(sources, (2, 25)[number]):
            Subscription.objects.create(user=reader, source=source)

    def come() -> Item:
        age = timedelta(hours=chance.uniform(0, 200))
        topics = chance.choice([[], ["agents"], ["models", "chips"]])
        return make_item(chance.choice(sources), published=NOW - age, topics=topics)

    def group() -> None:
        for item in Item.objects.filter(story=None):
            make_story(item)

    def item() -> Item:
        return chance.choice(list(Item.objects.exclude(story=None)))

    def merge() -> None:
        if (one := item()).story_id != (other := item()).story_id:
            assert one.story and other.story
            merge_stories(one.story, [other.story])

    def split() -> None:
        one = item()
        assert one.story
        if one.story.items.count() > 1:
            split_story(one.story, [one])

    def move() -> None:
        story = item().story
        assert story
        move_item(item(), story)

    def hide() -> None:
        set_state(chance.choice(readers), [item().pk], hidden=chance.random() < 0.8)

    def retopic() -> None:
        Item.objects.filter(pk=item().pk).update(topics=["policy"])
        bump_revision(GROUPING)

    for _ in range(40):
        come()
    group()
    events = [come, come, come, group, merge, split, move, hide, retopic]
    events.append(lambda: delete_items([item()]))
    for _ in range(40):
        chance.choice(events)()
        for reader in readers:
            assert cached_rows(reader) == queried_rows(reader)


def test_with_too_many_to_keep_each_reader_s_are_asked_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(candidates, "MAX_KEPT", 5)
    monkeypatch.setattr(candidates, "MAX_ITEMS", 7)
    reader = make_user()
    source = make_source(reader=reader)
    for n in range(12):
        make_story(make_item(source, published=NOW - timedelta(hours=n)))
    newest = Item.objects.order_by("-id").first()
    assert newest
    set_state(reader, [newest.pk], hidden=True)

    assert cached_rows(reader) == queried_rows(reader, 7)
    assert len(cached_rows(reader)) == 7


def test_while_a_thread_reads_the_columns_the_reader_s_items_are_queried(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader = make_user()
    source = make_source(reader=reader)
    stories = [make_story(make_item(source, published=NOW - timedelta(hours=n))) for n in range(5)]
    assert len(cached_rows(reader)) == 5
    monkeypatch.setattr(memo, "_fills_in_background", True)
    started: list[str] = []
    monkeypatch.setattr(memo, "_in_background", lambda key, renew: started.append(key))

    merge_stories(stories[0], [stories[1]])

    assert cached_rows(reader) == queried_rows(reader)
    assert len(started) == 1
