"""Private items join stories and change nothing that others see of them."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.cache import cache
from django.db import transaction
from django.db.models import Count
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import User
from ainews_site.infra.memo import forget_near
from feeds.core.ids import make_id
from feeds.models import (
    FollowedStory,
    Item,
    ItemBody,
    ItemKey,
    Source,
    Story,
    StoryRedirect,
    Subscription,
)
from feeds.stories.grouping import group
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.repair import repair_stories
from feeds.stories.ranking.traits import forget_traits
from tests.make import make_source, make_user

pytestmark = pytest.mark.django_db

START = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=60)
NOW = START + timedelta(hours=60)
FILLER = [
    f"{subject} {verb} {thing}"
    for subject, thing in (("Council", "budget"), ("Farmers", "harvest"), ("Museum", "paintings"))
    for verb in ("weighs", "praises", "loses")
]


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ages and scores are of one moment in both histories."""
    monkeypatch.setattr("django.utils.timezone.now", lambda: NOW)


@dataclass(frozen=True)
class News:
    """An item: `source` numbers a public outlet, or names a private one."""

    source: int | str
    title: str
    minutes: int


OUTLETS = 6
OWNERS = {"ann": ["ann"], "ben": ["ben"], "both": ["ann", "ben"]}
"""Private sources, and who follows each."""


def make_world() -> dict[int | str, Source]:
    """Outlets that everybody follows, and private sources of two owners."""
    readers = {name: make_user(name) for name in ("outsider", "ann", "ben")}
    sources: dict[int | str, Source] = {}
    for number in range(OUTLETS):
        sources[number] = make_source(f"public{number}", is_public=True)
        for reader in readers.values():
            Subscription.objects.create(user=reader, source=sources[number])
    for name, owners in OWNERS.items():
        sources[name] = make_source(name)
        for owner in owners:
            Subscription.objects.create(user=readers[owner], source=sources[name])
    return sources


def arrive(sources: dict[int | str, Source], number: int, news: News) -> Item:
    """`number` is the item's place in the ledger, the same whatever else arrives."""
    published = START + timedelta(minutes=news.minutes)
    source = sources[news.source]
    item = Item.objects.create(
        id=make_id(published, number),
        seq=number,
        source=source,
        url=f"https://{source.pk}.example/{number}",
        title=news.title,
        summary=f"{news.title}.",
        published_at=published,
        fetched_at=published,
    )
    ItemBody.objects.create(item=item, text=f"{news.title}.")
    ItemKey.objects.create(
        seq=number, source=source, key_hash=number, alt_hash=number, item_id=item.pk
    )
    return item


@contextmanager
def undone() -> Iterator[None]:
    """What happens within leaves no trace, in the database or in this process."""
    forget_all()
    with transaction.atomic():
        yield
        transaction.set_rollback(True)
    forget_all()


def forget_all() -> None:
    group.forget_resident_stories()
    cache.clear()
    forget_near()
    forget_traits()


@dataclass(frozen=True)
class Step:
    """An item arrives. `then` is what the poll that brought it does: "group", "repair" or
    nothing yet. `number` is that of the ledger."""

    number: int
    news: News
    then: str = "group"


def play(sources: dict[int | str, Source], steps: Iterable[Step], unseen: Iterable[str]) -> None:
    """What an unseen source brings is grouped at another time than what others brought: who
    polls first is no matter of what anybody sees."""
    hidden = [sources[name].pk for name in unseen]
    for step in steps:
        arrive(sources, step.number, step.news)
        waiting = Item.objects.filter(story=None).exclude(source__in=hidden)
        if step.then and not (step.news.source in unseen and waiting.exists()):
            group_new_items(now=NOW)
        if step.then == "repair" and not Item.objects.filter(story=None).exists():
            repair_stories(NOW)
    group_new_items(now=NOW)
    repair_stories(NOW)


def without(steps: Iterable[Step], unseen: Iterable[str]) -> list[Step]:
    """The same history where these private sources never said anything."""
    return [step for step in steps if step.news.source not in unseen]


def seen_by(name: str, unseen: Sequence[str]) -> dict[str, Any]:
    """All that a reader is shown, and the rows behind it."""
    sources = Source.objects.exclude(title__in=[name.title() for name in unseen])
    items = Item.objects.filter(source__in=sources)
    stories = Story.objects.filter(pk__in=items.values("story")).order_by("pk")
    return {
        "items": list(items.order_by("pk").values("pk", "story", "copy_of", "story_pinned")),
        "public stories": list(
            Story.objects.filter(items__source__is_public=True).distinct().order_by("pk").values()
        ),
        "stories": list(stories.values()),
        "redirects": sorted(
            row
            for row in StoryRedirect.objects.values_list("old_id", "story_id", "is_public")
            if row[0] in set(items.values_list("pk", flat=True))
        ),
        "followed": sorted(
            FollowedStory.objects.filter(user__username=name).values_list("story", flat=True)
        ),
        "shown": shown_to(name, [pk for pk, count in tellings(items) if count > 1]),
    }


def tellings(items: Any) -> list[tuple[int, int]]:
    """(story, how many items it has) of these."""
    return list(items.order_by("story").values_list("story").annotate(Count("pk")))


def shown_to(name: str, stories: Sequence[int]) -> dict[str, Any]:
    client = Client()
    client.force_login(User.objects.get(username=name))
    addresses = [
        "/",
        "/river/",
        "/api/v1/stories/?limit=4",
        "/api/v1/items/?limit=5",
        "/api/v1/stories/ranked/",
        "/api/v1/search/?q=acme+robot+bank",
        "/search/?q=heron+chip",
        *(f"/story/{pk}/" for pk in stories[:2]),
        *(f"/api/v1/stories/{pk}/" for pk in stories),
    ]
    found: dict[str, Any] = {}
    while addresses:
        address = addresses.pop(0)
        answer = client.get(address)
        shown = plain(answer)
        found[address] = answer.status_code, shown
        if isinstance(shown, dict) and shown.get("next"):
            addresses.append(shown["next"])
    return found


def plain(answer: Any) -> Any:
    """Without what differs by chance: tokens of forms, and how long it took."""
    if "json" in answer["Content-Type"]:
        data = json.loads(answer.content)
        return {**data, "milliseconds": 0} if isinstance(data, dict) else data
    text = answer.content.decode()
    text = re.sub(r'name="csrfmiddlewaretoken" value="[^"]*"', "", text)
    text = re.sub(r'"X-CSRFToken": ?"[^"]*"', "", text)
    text = re.sub(r"X-CSRFToken[^}]*", "", text)
    return re.sub(r"\d+ ms", "", text)


WORDS = ["heron", "acme", "bank", "court", "model", "chip", "law", "robot", "ship", "fines", "5"]
titles = st.lists(st.sampled_from(WORDS), min_size=3, max_size=7).map(" ".join)
minutes = st.integers(0, 59 * 60)
public_news = st.builds(News, st.integers(0, OUTLETS - 1), titles, minutes)
private_news = st.builds(News, st.sampled_from(sorted(OWNERS)), titles, minutes)


@st.composite
def histories(draw: st.DrawFn) -> list[Step]:
    """Public and private items in any order, with grouping and repairs between."""
    public = draw(st.lists(public_news, min_size=2, max_size=8))
    private = draw(st.lists(private_news, min_size=1, max_size=6))
    told = [News(n % OUTLETS, title, n * 200) for n, title in enumerate(FILLER)]
    arrivals = draw(st.permutations([*public, *private]))
    then = st.sampled_from(["", "group", "repair"])
    return [
        *(Step(number, news, "") for number, news in enumerate(told, 1)),
        *(Step(number, news, draw(then)) for number, news in enumerate(arrivals, len(told) + 1)),
    ]


def check(history: Sequence[Step], reader: str, unseen: Sequence[str]) -> None:
    """`reader` is shown the same whether or not the sources that they cannot see say anything."""
    seen = []
    with undone():
        sources = make_world()
        for steps in (without(history, unseen), history):
            with undone():
                play(sources, steps, unseen)
                seen.append(seen_by(reader, unseen))
    alone, together = seen
    assert together == alone


slowly = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@given(histories())
@slowly
def test_private_items_change_nothing_that_an_outsider_sees(history: list[Step]) -> None:
    check(history, "outsider", ["ann", "ben", "both"])


@given(histories())
@slowly
def test_private_items_of_one_owner_change_nothing_for_another(history: list[Step]) -> None:
    check(history, "ann", ["ben"])
    check(history, "ben", ["ann"])
