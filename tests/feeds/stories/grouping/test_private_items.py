"""Private items join stories and change nothing that others see of them."""

import json
import os
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
from django.test import Client, override_settings
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from accounts.models import User
from ainews_site.infra.memo import clear_local_cache
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
from feeds.models.story import REACH
from feeds.stories.grouping import group
from feeds.stories.grouping.edit import move_item
from feeds.stories.grouping.group import group_new_items
from feeds.stories.grouping.repair import repair_stories
from feeds.stories.grouping.similarity import WINDOW
from feeds.stories.ranking.traits import clear_traits
from feeds.stories.story_page import story_page
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
    group.drop_resident_stories()
    cache.clear()
    clear_local_cache()
    clear_traits()


@dataclass(frozen=True)
class Step:
    """An item arrives. `then` is what the poll that brought it does: "group", "repair" or
    nothing yet. `number` is that of the ledger."""

    number: int
    news: News
    then: str = "group"


def play(sources: dict[int | str, Source], steps: Iterable[Step], unseen: Iterable[str]) -> None:
    """The polls of unseen sources group as well, but neither decide with which others an item
    that waits is grouped nor when the stories are repaired: that is a matter of schedules."""
    hidden = [sources[name].pk for name in unseen]
    for step in steps:
        arrive(sources, step.number, step.news)
        waiting = Item.objects.filter(story=None).exclude(source__in=hidden)
        if step.then and not (step.news.source in unseen and waiting.exists()):
            group_new_items(now=NOW)
        if step.then == "repair" and step.news.source not in unseen:
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
        **shown_to(name, [pk for pk, count in tellings(items) if count > 1]),
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
    for what, before in alone.items():
        assert together[what] == before, what
    assert together.keys() == alone.keys()


EXAMPLES = 60 if os.environ.get("FULL") else 8
"""Each plays two histories through ingest, grouping and all pages; `make test-full` tries more."""
slowly = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # to shrink one takes minutes
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


@given(histories())
@settings(slowly, max_examples=EXAMPLES // 4)
def test_vectors_of_private_items_change_nothing_either(history: list[Step]) -> None:
    with override_settings(EMBEDDINGS="onnx", EMBEDDING_MODEL=""):
        check(history, "outsider", ["ann", "ben", "both"])
        check(history, "ann", ["ben"])


ONE = [News(n, "Acme ships heron robot chip to bank of northern court", 10 * n) for n in (1, 2)]
OTHER = [News(n, "Model law fines pension fund over wages of teachers", 10 * n) for n in (3, 4)]
BRIDGE = "Acme ships heron robot chip to bank, model law fines pension fund over wages"


def told(*news: News, then: str = "") -> list[Step]:
    """These among other news, oldest first."""
    filler = [News(n % OUTLETS, title, n * 200) for n, title in enumerate(FILLER)]
    return [Step(number, one, then) for number, one in enumerate([*filler, *news], 1)]


def story_of(title: str, source: str | int) -> int:
    name = source.title() if isinstance(source, str) else f"Public{source}"
    return int(Item.objects.get(title=title, source__title=name).story_id or 0)


def test_private_items_between_two_public_stories_leave_them_two() -> None:
    """Enough of them made one of both: the shared weight of the two outgrew what set them apart."""
    bridges = [News("ann", f"{BRIDGE} {n}", 15 + n) for n in range(6)]

    play(make_world(), told(*ONE, *OTHER, *bridges, then="repair"), [])

    assert story_of(ONE[0].title, 1) == story_of(ONE[1].title, 2)
    assert story_of(OTHER[0].title, 3) == story_of(OTHER[1].title, 4)
    assert story_of(ONE[0].title, 1) != story_of(OTHER[0].title, 3)
    for pk in (story_of(ONE[0].title, 1), story_of(OTHER[0].title, 3)):
        assert Story.objects.get(pk=pk).item_count == 2


def test_a_private_item_joins_a_public_story_for_its_owner_alone() -> None:
    private = News("ann", "Northern court bank gets heron robot chip, workers say tonight", 30)

    play(make_world(), told(*ONE, private), [])

    story = story_of(private.title, "ann")
    assert story == story_of(ONE[0].title, 1)
    counts = {}
    for name in ("ann", "ben", "outsider"):
        page = story_page(User.objects.get(username=name), story)
        assert not isinstance(page, int)
        counts[name] = (len(page.coverage) + len(page.copies), page.source_count)
    assert counts["ben"] == counts["outsider"] == (2, 1)
    assert counts["ann"] == (3, 2)
    row = Story.objects.get(pk=story)
    assert (row.item_count, row.source_count, row.copy_count) == (2, 1, 1)


def test_a_public_item_is_no_copy_of_a_private_one() -> None:
    private, public = News("ann", ONE[0].title, 5), News(1, ONE[0].title, 9)

    play(make_world(), told(private, public), [])

    assert Item.objects.get(source__title="Public1", title=public.title).copy_of is None
    assert story_of(private.title, "ann") == story_of(public.title, 1)


def test_the_row_of_a_private_story_is_made_of_what_all_its_readers_see() -> None:
    shared = News("both", ONE[0].title, 5)
    own = [News(name, f"{ONE[0].title} again", 50) for name in ("ann", "ben")]

    play(make_world(), told(shared, *own), [])

    stories = {story_of(shared.title, "both"), *(story_of(n.title, n.source) for n in own)}
    row = Story.objects.get(pk=stories.pop())
    assert not stories
    assert (row.item_count, row.title) == (1, shared.title)
    assert row.last_at == START + timedelta(minutes=5)


def test_a_private_story_goes_to_the_public_one_and_says_so_to_its_readers_alone() -> None:
    private, others = News("ann", ONE[0].title, 5), [ONE[0], ONE[1]]
    sources = make_world()
    for number, news in enumerate([private, *others], 1):
        arrive(sources, number, news)
        group_new_items(now=NOW)
    old = story_of(private.title, "ann")
    assert old != story_of(ONE[0].title, 1)

    repair_stories(NOW)

    public = story_of(ONE[0].title, 1)
    assert story_of(private.title, "ann") == public != old
    answers = {}
    for name in ("ann", "ben", "outsider"):
        client = Client()
        client.force_login(User.objects.get(username=name))
        answers[name] = client.get(f"/story/{old}/").status_code
    assert answers == {"ann": 302, "ben": 404, "outsider": 404}


def test_a_public_story_that_goes_on_takes_private_items_along() -> None:
    """Whoever may not see them finds its address as if they were not there."""
    private = News("ann", f"{ONE[0].title} tonight", 15)
    sources = make_world()
    play(sources, told(ONE[0], *OTHER, private), [])
    old, new = story_of(ONE[0].title, 1), story_of(OTHER[0].title, 3)
    assert story_of(private.title, "ann") == old

    item = Item.objects.get(title=ONE[0].title)
    move_item(item, Story.objects.get(pk=new))

    assert story_of(private.title, "ann") == new
    assert not Story.objects.filter(pk=old).exists()
    assert StoryRedirect.objects.get(old_id=old).is_public


def test_private_items_reach_as_far_as_a_story_s_coverage_is_looked_for() -> None:
    assert REACH.total_seconds() >= WINDOW
