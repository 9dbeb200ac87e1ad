"""What a page shows one reader is cached, and never older than what they know."""

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import User
from feeds.models import ItemState, Subscription
from feeds.reading.feedback import weigh_topic
from feeds.reading.marks import mark_all_read, set_state
from feeds.web.page_cache import cached_page
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def reader() -> User:
    return make_user("reader")


def html(page: Client, name: str, query: str = "") -> str:
    return page.get(reverse(name) + query).content.decode()


def test_an_unchanged_page_is_rendered_once(reader: User) -> None:
    rendered: list[int] = []

    def render() -> list[str]:
        rendered.append(1)
        return ["<p>1</p>", "2"]

    parts = [cached_page(reader, "name", 5, render) for _ in range(3)]

    assert parts == [["<p>1</p>", "2"]] * 3
    assert len(rendered) == 1
    cached_page(reader, "other", 5, render)
    cached_page(make_user("other"), "name", 5, render)
    cached_page(reader, "name", 6, render)
    assert len(rendered) == 4


@pytest.mark.parametrize("name", ["stories", "river"])
def test_a_mark_shows_at_once(page: Client, reader: User, name: str) -> None:
    item = make_item(make_source(reader=reader), "A kestrel lands")
    make_story(item)
    assert "is-read" not in html(page, name)

    set_state(reader, [item.pk], saved=True)
    assert "is-saved" in html(page, name)
    mark_all_read(reader, None, item.seq)
    assert "is-read" in html(page, name)
    set_state(reader, [item.pk], read=False)
    assert "is-read" not in html(page, name)
    set_state(reader, [item.pk], hidden=True)
    assert "A kestrel lands" not in html(page, name)


@pytest.mark.parametrize("name", ["stories", "river"])
def test_a_new_item_shows_at_once(page: Client, reader: User, name: str) -> None:
    source = make_source(reader=reader)
    make_story(make_item(source, "A kestrel lands"))
    html(page, name)

    make_story(make_item(source, "An owl follows"))

    assert "An owl follows" in html(page, name)


def test_a_muted_topic_is_gone_at_once(page: Client, reader: User) -> None:
    make_story(make_item(make_source(reader=reader), "Of agents", topics=["agents"]))
    assert "Of agents" in html(page, "stories")

    weigh_topic(reader, "agents", "mute")

    assert "Of agents" not in html(page, "stories")


def test_nobody_sees_the_page_of_another_reader(page: Client, reader: User) -> None:
    make_story(make_item(make_source("mine", reader=reader), "Private news"))
    assert "Private news" in html(page, "river")
    other = Client()
    other.force_login(make_user("other"))

    assert "Private news" not in html(other, "river")
    assert "Private news" not in html(other, "stories")


def test_each_answer_has_a_token_of_its_own(page: Client, reader: User) -> None:
    item = make_item(make_source(reader=reader))
    html(page, "river")
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(reader)
    text = html(strict, "river")
    token = text.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]

    form = {"read": "1", "csrfmiddlewaretoken": token}
    assert strict.post(f"/item/{item.pk}/state/", form).status_code == 302
    assert ItemState.objects.get().is_read
    assert Subscription.objects.count() == 1
