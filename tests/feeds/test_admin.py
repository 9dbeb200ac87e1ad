"""Curating in the admin pages."""

from datetime import date
from typing import Any

import pytest
from django.test import Client

from feeds.ai.language.prices import DOLLAR
from feeds.models import Item, LanguageMonth, LanguageUse, Source, Story
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin() -> Client:
    client = Client()
    client.force_login(make_user("admin", is_staff=True, is_superuser=True))
    return client


def act(admin: Client, kind: str, action: str, *pks: int) -> str:
    data = {"action": action, "_selected_action": list(pks)}
    answer = admin.post(f"/admin/feeds/{kind}/", data, follow=True)
    assert answer.status_code == 200
    return answer.content.decode()


@pytest.mark.parametrize("kind", ["source", "item", "story", "folder", "subscription", "report"])
def test_every_list_opens(admin: Client, kind: str) -> None:
    make_story(make_item(make_source()))
    assert admin.get(f"/admin/feeds/{kind}/").status_code == 200
    assert admin.get(f"/admin/feeds/{kind}/?q=lab").status_code in (200, 302)


def test_a_reader_does_not_get_in() -> None:
    client = Client()
    client.force_login(make_user())
    assert client.get("/admin/feeds/source/").status_code == 302


def test_sources_are_paused_resumed_and_shown_with_their_log(admin: Client) -> None:
    source = make_source()
    source.fetches.create(status=500, error="The server failed (500).")
    act(admin, "source", "pause", source.pk)
    source.refresh_from_db()
    assert source.status == Source.Status.PAUSED
    act(admin, "source", "resume", source.pk)
    act(admin, "source", "poll_soon", source.pk)
    source.refresh_from_db()
    assert source.status == Source.Status.ACTIVE
    assert (
        "The server failed"
        in admin.get(f"/admin/feeds/source/{source.pk}/change/").content.decode()
    )


def test_stories_are_merged_and_split(admin: Client) -> None:
    first = make_story(make_item(make_source("one")), make_item(make_source("two")))
    second = make_story(make_item(make_source("three")))
    assert "Merged 2 stories into" in act(admin, "story", "merge", first.pk, second.pk)
    assert Story.objects.get().item_count == 3
    item = Item.objects.get(source__title="Three")
    assert "The items are now the story" in act(admin, "item", "split_off", item.pk)
    item.refresh_from_db()
    assert item.story_id != first.pk
    assert admin.get(f"/admin/feeds/story/{first.pk}/change/").status_code == 200


def test_an_item_is_moved_by_its_form(admin: Client) -> None:
    item = make_item(make_source("one"))
    old, target = make_story(item), make_story(make_item(make_source("two")))
    form = {"title": item.title, "topics": "[]", "story": target.pk}
    answer = admin.post(f"/admin/feeds/item/{item.pk}/change/", form)
    assert answer.status_code == 302
    item.refresh_from_db()
    assert (item.story_id, item.story_pinned) == (target.pk, True)
    assert not Story.objects.filter(pk=old.pk).exists()


def test_a_headline_written_by_hand_is_pinned(admin: Client) -> None:
    story = make_story(make_item(make_source()))
    form = {"title": "By hand", "topics": "[]", "items-TOTAL_FORMS": 0, "items-INITIAL_FORMS": 0}
    answer = admin.post(f"/admin/feeds/story/{story.pk}/change/", form)
    assert answer.status_code == 302
    story.refresh_from_db()
    assert (story.title, story.title_pinned) == ("By hand", True)


def test_what_models_cost_is_shown_and_not_edited(admin: Client, settings: Any) -> None:
    settings.LLM_MONTHLY_BUDGET = 20
    day = date(2026, 5, 20)
    LanguageMonth.objects.create(month=day.replace(day=1), cost=17 * DOLLAR)
    LanguageUse.objects.create(day=day, model="small", purpose="digest", calls=3, cost=DOLLAR // 4)

    month = admin.get("/admin/feeds/languagemonth/").content.decode()
    use = admin.get("/admin/feeds/languageuse/").content.decode()

    assert "$17.0000" in month and "85%" in month
    assert "$0.2500" in use and "small" in use
    assert admin.get("/admin/feeds/languageuse/add/").status_code == 403
