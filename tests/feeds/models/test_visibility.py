"""The sources, items and stories that a reader may see, and the sources that are due."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db.models import QuerySet

from ainews_site.infra import db_clock
from feeds.core.ids import lowest_id
from feeds.models import Item, Source, Story, Subscription
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def sources() -> dict[str, Source]:
    """Create sources that the user `reader` may or may not see."""
    reader, other = make_user("reader"), make_user("other")
    found = {
        "public": make_source("public", is_public=True),
        "public, followed": make_source("followed", is_public=True, reader=reader),
        "own": make_source("own", reader=reader),
        "shared": make_source("shared", reader=reader),
        "others": make_source("others", reader=other),
        "nobody's": make_source("nobody"),
    }
    for name in ("public", "public, followed", "shared"):
        Subscription.objects.create(user=other, source=found[name])
    return found


def reader() -> Any:
    return Subscription.objects.select_related("user").get(source__url__contains="//own.").user


VISIBLE = ["own", "public", "public, followed", "shared"]
FOLLOWED = ["own", "public, followed", "shared"]


def names(rows: QuerySet[Any], by_pk: dict[int, str]) -> list[str]:
    return sorted(by_pk[row.pk] for row in rows)


def test_public_sources_and_subscriptions_are_visible_each_once(sources: Any) -> None:
    by_pk = {source.pk: name for name, source in sources.items()}

    assert names(Source.objects.visible_to(reader()), by_pk) == VISIBLE
    assert names(Source.objects.subscribed_by(reader()), by_pk) == FOLLOWED


def test_items_are_visible_with_their_source(sources: Any) -> None:
    by_pk = {make_item(source).pk: name for name, source in sources.items()}

    assert names(Item.objects.visible_to(reader()), by_pk) == VISIBLE
    assert names(Item.objects.subscribed_by(reader()), by_pk) == FOLLOWED


def test_a_story_is_visible_by_any_of_its_items(sources: Any) -> None:
    stories = {make_story(make_item(source)).pk: name for name, source in sources.items()}
    mixed = make_story(make_item(sources["others"]), make_item(sources["own"]))
    make_story(make_item(sources["others"]), make_item(sources["nobody's"]))

    by_pk = stories | {mixed.pk: "mixed"}
    assert names(Story.objects.visible_to(reader()), by_pk) == ["mixed", *VISIBLE]


def test_a_story_without_items_is_visible_to_nobody(sources: Any) -> None:
    make_item(sources["own"])
    Story.objects.create(id=1, title="Empty", first_at=NOW, last_at=NOW)

    assert not Story.objects.visible_to(reader()).exists()


def test_items_of_stories_are_searched_from_three_days_before_them() -> None:
    source = make_source()
    first = make_item(source, published=NOW)
    later = make_item(source, published=NOW + timedelta(days=30))
    within = make_item(source, published=NOW - timedelta(hours=71))
    before = make_item(source, published=NOW - timedelta(hours=73))
    stranger = make_item(source, published=NOW)
    one, two = make_story(first, within, before), make_story(later)
    make_story(stranger)
    Story.objects.filter(pk=one.pk).update(first_at=NOW)
    stories = list(Story.objects.filter(pk__in=[one.pk, two.pk]))

    assert set(Item.objects.covering(stories)) == {first, later, within}
    assert set(Item.objects.covering(iter(stories))) == {first, later, within}
    assert list(Item.objects.covering([])) == []


def test_items_since_a_moment_begin_with_its_lowest_id() -> None:
    source = make_source()
    at = make_item(source, published=NOW, id=lowest_id(NOW))
    make_item(source, published=NOW, id=lowest_id(NOW) - 1)
    after = make_item(source, published=NOW + timedelta(seconds=5))

    assert list(Item.objects.since(NOW).newest_first()) == [after, at]


@pytest.mark.parametrize(
    ("until", "is_free"),
    [
        (None, True),
        (NOW - timedelta(seconds=1), True),
        (NOW, False),
        (NOW + timedelta(hours=1), False),
        # A machine with a wrong clock wrote this row.
        (NOW + db_clock.FURTHEST, False),
        (NOW + db_clock.FURTHEST + timedelta(seconds=1), True),
    ],
)
def test_a_source_is_free_when_its_lease_is_over(until: datetime | None, is_free: bool) -> None:
    make_source(lease_until=until)

    assert Source.objects.free(NOW).exists() is is_free


@pytest.mark.parametrize(
    ("fields", "is_due"),
    [
        ({}, True),
        ({"next_poll_at": NOW + timedelta(seconds=1)}, False),
        ({"status": Source.Status.PAUSED}, False),
        ({"status": Source.Status.GONE}, False),
        ({"lease_until": NOW + timedelta(seconds=1)}, False),
    ],
)
def test_a_source_is_due_when_its_time_has_come(fields: dict[str, Any], is_due: bool) -> None:
    make_source(**{"next_poll_at": NOW, **fields})

    assert Source.objects.due(NOW).exists() is is_due


@pytest.mark.parametrize(("minutes", "is_due"), [(-1, True), (1, False)])
def test_due_is_by_the_clock_of_the_database(
    minutes: int, is_due: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db_clock, "now", lambda: NOW)
    make_source(next_poll_at=NOW + timedelta(minutes=minutes))

    assert Source.objects.due().exists() is is_due


@pytest.mark.parametrize("act", [lambda rows: rows.change(weight=2.0)])
def test_a_change_affects_only_the_selected_sources(act: Callable[[Any], int]) -> None:
    sources = [make_source(name) for name in "abc"]

    chosen = Source.objects.filter(pk__in=[sources[0].pk, sources[2].pk])
    assert act(chosen.order_by("-title")) == 2
    assert list(Source.objects.order_by("pk").values_list("weight", flat=True)) == [2.0, 1.0, 2.0]
