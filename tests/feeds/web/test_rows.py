"""Rows are rendered once for everything that they show."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from feeds.models import Subscription
from feeds.reading.marks import set_state
from feeds.web import rows
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def html_of(user: User, address: str) -> str:
    client = Client()
    client.force_login(user)
    return client.get(address).content.decode()


def rendered() -> int:
    return rows._rendered.cache_info().misses


@pytest.mark.parametrize("address", ["/", "/river/"])
def test_an_act_renders_the_row_that_it_changes(address: str) -> None:
    reader = make_user()
    items = [make_item(make_source(f"s{n}", reader=reader), f"News {n}") for n in range(5)]
    for item in items:
        make_story(item)
    html_of(reader, address)
    before = rendered()

    set_state(reader, [items[3].pk], read=True)
    text = html_of(reader, address)

    assert text.count("is-read") == 1
    assert rendered() == before + 1


@pytest.mark.parametrize("address", ["/", "/river/"])
def test_readers_share_rows_but_not_names_marks_and_zones(address: str) -> None:
    source = make_source("s", title="The Source", is_public=True)
    first, same, other = (make_user(name) for name in ("first", "same", "other"))
    for user in (first, same, other):
        Subscription.objects.create(user=user, source=source)
    Subscription.objects.filter(user=other).update(title="My name for it")
    User.objects.filter(pk=other.pk).update(time_zone="Asia/Tokyo")
    item = make_item(source, "News", published=timezone.now() - timedelta(days=3))
    make_story(item)
    set_state(other, [item.pk], saved=True)

    shown = html_of(first, address)
    count = rendered()
    assert "The Source" in html_of(same, address)
    assert rendered() == count

    theirs = html_of(other, address)
    assert "My name for it" in theirs and ">The Source<" not in theirs
    assert "is-saved" in theirs and "is-saved" not in shown
    assert "+09:00" in theirs and "+09:00" not in shown


def test_a_correction_shows_at_once() -> None:
    reader = make_user()
    item = make_item(make_source(reader=reader), "A typo")
    make_story(item)
    assert "A typo" in html_of(reader, "/river/")

    type(item).objects.update(title="The correction")
    set_state(reader, [item.pk], saved=True)

    assert "The correction" in html_of(reader, "/river/")
    assert "A typo" not in html_of(reader, "/river/")
