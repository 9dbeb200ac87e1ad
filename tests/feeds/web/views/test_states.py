"""The present states of rows, and the list of hidden items."""

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from feeds.models import Folder, FollowedStory, Item, Subscription
from feeds.reading.marks import mark_all_read, set_state
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db


def rows(page: Client, *names: str) -> dict[str, str]:
    states: dict[str, str] = page.get(f"/states/?rows={','.join(names)}").json()["rows"]
    return states


def test_the_states_of_items_and_stories_are_those_of_their_rows(
    page: Client, reader: User
) -> None:
    source = make_source(reader=reader)
    items = [make_item(source, f"Headline {n}") for n in range(4)]
    story, gone = make_story(*items[:2]), make_story(items[2])
    names = [f"i{item.pk}" for item in items] + [f"s{story.pk}", f"s{gone.pk}"]
    assert set(rows(page, *names).values()) == {""}

    set_state(reader, [items[0].pk], read=True, saved=True)
    set_state(reader, [items[2].pk], hidden=True)
    FollowedStory.objects.create(user=reader, story=story)

    states = rows(page, *names)
    assert states[f"item-{items[0].pk}"] == "rs"
    assert states[f"item-{items[2].pk}"] == "h"
    assert states[f"item-{items[3].pk}"] == ""
    assert states[f"story-{story.pk}"] == "rsf"
    assert "h" in states[f"story-{gone.pk}"]
    mark_all_read(reader, None, items[3].seq)
    assert rows(page, f"i{items[3].pk}") == {f"item-{items[3].pk}": "r"}


def test_states_come_of_what_the_reader_can_see_and_never_of_another(page: Client) -> None:
    item = make_item(make_source(is_public=False))
    story = make_story(item)
    assert (
        rows(page, f"i{item.pk}", f"s{story.pk}", "i1", "s1", "x", "i", "s-1", "i" + "9" * 30) == {}
    )
    assert Client().get("/states/").status_code == 302


def test_the_number_of_queries_is_that_of_one_row(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    items = [make_item(source, f"Headline {n}") for n in range(20)]
    stories = [make_story(item) for item in items[:10]]
    names = [f"i{item.pk}" for item in items] + [f"s{story.pk}" for story in stories]
    rows(page, names[0], names[-1])
    with CaptureQueriesContext(connection) as few:
        rows(page, names[0], names[-1])
    with CaptureQueriesContext(connection) as many:
        rows(page, *names)
    assert len(many) == len(few)


def test_the_counts_are_those_of_the_sidebar(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    folder = Folder.objects.create(user=reader, name="Labs")
    Subscription.objects.update(folder=folder)
    make_story(make_item(source), make_item(source))
    counts = page.get("/states/?counts=1").json()["counts"]
    assert counts == {"all": 2, str(source.pk): 2, f"folder-{folder.pk}": 2}
    counts = page.get("/states/?counts=1&stories=1").json()["counts"]
    assert counts["stories"] == 1
    assert page.get("/states/?stories=1&saved=1").json()["counts"] == {"stories": 0}


def test_hidden_items_have_a_list_that_shows_them_again(page: Client, reader: User) -> None:
    source = make_source(reader=reader)
    shown, hidden = make_item(source, "A shown one"), make_item(source, "A hidden one")
    set_state(reader, [hidden.pk], hidden=True)

    html = page.get("/river/?hidden=1").content.decode()
    assert "A hidden one" in html
    assert "A shown one" not in html
    assert "Show again" in html
    assert "Mark all read" not in html
    page.post(f"/item/{hidden.pk}/state/", {"hidden": "0"})
    assert "Nothing is hidden" in page.get("/river/?hidden=1").content.decode()
    Subscription.objects.all().delete()
    set_state(reader, [shown.pk], hidden=True)
    assert "A shown one" not in page.get("/river/?hidden=1").content.decode()
    assert Item.objects.count() == 2
