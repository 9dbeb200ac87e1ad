"""Test data at a fixed time, whose ids are the same in every run."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from digests.models import Channel
from feeds.models import Folder, Item, Source, StoryRedirect, Subscription, TrendFollow
from feeds.reading.feedback import log_impression
from feeds.reading.marks import set_state
from feeds.trends import board
from feeds.trends.types import Trend
from tests.make import make_item, make_source, make_story, make_user

NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)
YESTERDAY = NOW - timedelta(days=1)
PAID = "Kestrel paid 2 billion dollars for Falcon in cash on Tuesday."


def build() -> SimpleNamespace:
    """Create two readers with sources, stories of one and of two sources, and some actions."""
    joined = datetime(2026, 1, 1, tzinfo=UTC)
    world = SimpleNamespace()
    world.reader = make_user(interests={"agents": "more"}, date_joined=joined)
    world.staff = make_user("staff", is_staff=True, date_joined=joined)
    world.folder = Folder.objects.create(pk=900_101, user=world.reader, name="Labs")
    world.wire = make_source("wire", pk=900_201, is_public=True, site_url="https://wire.example/")
    world.gazette = make_source("gazette", pk=900_202, is_public=True)
    world.catalogue = make_source("catalogue", pk=900_203, is_public=True)
    Subscription.objects.create(
        user=world.reader, source=world.wire, folder=world.folder, title="My wire"
    )
    Subscription.objects.create(user=world.reader, source=world.gazette)
    world.private = make_source("private", pk=900_204, reader=world.staff)
    _publish(world)
    _act(world)
    return world


def _publish(world: SimpleNamespace) -> None:
    world.deal = _item(world.wire, 1, 3, "Kestrel buys Falcon", topics=["chips"], text=PAID)
    world.also = _item(world.gazette, 2, 2, "Falcon is sold to Kestrel", text=PAID)
    world.copy = _item(world.gazette, 3, 1, "Kestrel buys Falcon", copy_of=world.deal.pk)
    world.agent = _item(
        world.wire, 4, 5, "An agent that plans", topics=["agents"], text="It plans ahead. It acts."
    )
    world.other = _item(world.private, 5, 4, "A private plan")
    world.big_story = make_story(world.deal, world.also, world.copy)
    world.small_story = make_story(world.agent)
    world.foreign_story = make_story(world.other)
    StoryRedirect.objects.create(old_id=7, story=world.big_story)


def _item(source: Source, number: int, hours: float, title: str, **fields: Any) -> Item:
    published = NOW - timedelta(hours=hours)
    return make_item(source, title, published=published, seq=900_300 + number, **fields)


def _act(world: SimpleNamespace) -> None:
    log_impression(world.reader, [(world.big_story.pk, world.deal.pk)], YESTERDAY)
    set_state(world.reader, [world.deal.pk], opened=True)
    set_state(world.reader, [world.also.pk], saved=True)
    world.follow = TrendFollow.objects.create(
        pk=900_401, user=world.reader, term="kestrel", label="Kestrel"
    )
    world.channel = Channel.objects.create(
        pk=900_501, user=world.reader, kind="slack", target="https://hooks.example/T1/B2/secret"
    )
    trend = Trend(
        key="kestrel", label="Kestrel", aliases=("Falcon",), stories=12, before=3, sources=9,
        stage="climbing", sparkline=(0,) * 29 + (4,), story_id=world.big_story.pk,
        story_title=world.big_story.title, score=9.0, expected=2.4, is_burst=False,
        began=NOW.date(),
    )  # fmt: skip
    board.write(None, [trend], NOW)
