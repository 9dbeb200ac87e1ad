"""A copy of what a reader cannot see is an original to them, wherever stories are told."""

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from digests.editions.earlier import Covered
from digests.editions.plan import Plan, Request
from digests.editions.window import Window
from digests.editions.window_items import parts_of, window_items
from feeds.models import Item, Subscription
from feeds.reading.ranked import ranked_stories
from feeds.stories.story_page import story_page
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db

TITLE = "Orbit Labs opens its Kestrel model to everyone"


@pytest.fixture
def told() -> dict[str, Any]:
    """One reader's private wire is copied by two public papers; a third tells it in its words."""
    reader, owner = make_user("reader"), make_user("owner")
    now = timezone.now()
    wire = make_source("wire", reader=owner)
    papers = [make_source(f"paper{n}", reader=reader, is_public=True) for n in range(3)]
    for paper in papers:
        Subscription.objects.create(user=owner, source=paper)
    original = make_item(wire, TITLE, published=now - timedelta(hours=5))
    copies = [
        make_item(paper, TITLE, published=now - timedelta(hours=4 - n), copy_of=original.pk)
        for n, paper in enumerate(papers[:2])
    ]
    own = make_item(papers[2], "Kestrel tried out", published=now - timedelta(hours=1))
    story = make_story(original, *copies, own)
    return {"reader": reader, "owner": owner, "story": story, "copies": copies, "now": now}


def test_the_page_of_a_story_counts_the_first_copy_as_a_source(told: dict[str, Any]) -> None:
    page = story_page(told["reader"], told["story"].pk)
    owners = story_page(told["owner"], told["story"].pk)

    assert not isinstance(page, int) and not isinstance(owners, int)
    assert [item.pk for item in page.copies] == [told["copies"][1].pk]
    assert page.source_count == 2
    assert (owners.source_count, len(owners.copies)) == (2, 2)


def test_ranked_stories_do_so_too(told: dict[str, Any]) -> None:
    (story,) = ranked_stories(told["reader"])
    (owners,) = ranked_stories(told["owner"])

    assert (story.source_count, owners.source_count) == (2, 2)
    assert story.terms["heat"] == pytest.approx(owners.terms["heat"])


def test_an_edition_has_the_first_copy_as_news(told: dict[str, Any]) -> None:
    day = Window(told["now"] - timedelta(days=1), told["now"] + timedelta(minutes=1))

    followed = dict.fromkeys(
        told["reader"].subscriptions.values_list("source", flat=True), "normal"
    )
    plan = Plan(Request(told["reader"], told["now"].date()), day, Covered(), followed)

    (part,) = parts_of([plan])
    found = {item.pk: item.copy_of for item in window_items(part)[0]}

    first, second = (item.pk for item in told["copies"])
    assert found[first] is None
    assert found[second] == first


def test_the_river_and_the_api_count_the_same(told: dict[str, Any]) -> None:
    client = Client()
    client.force_login(told["reader"])

    (story,) = client.get("/api/v1/stories/").json()["results"]
    items = client.get("/api/v1/items/").json()["results"]

    assert (story["source_count"], story["copy_count"]) == (2, 1)
    assert sorted(item["copy_of"] is None for item in items) == [False, True, True]
    assert Item.objects.filter(copy_of=None).count() == 2
