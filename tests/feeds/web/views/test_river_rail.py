"""The sidebar of the river: folders and sources with unread counts."""

from typing import Any

import pytest
from django.test import Client

from accounts.models import User
from feeds.coordination.revisions import news_for
from feeds.models import Folder, Source, Subscription
from feeds.web.live.news import reader_seq
from feeds.web.page_cache import page_state
from feeds.web.views import common
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db


def rail_of(user: User, query: str = "") -> str:
    client = Client()
    client.force_login(user)
    text = client.get(f"/river/{query}").content.decode()
    return text.split('<aside class="rail"')[1].split("</aside>")[0]


def test_a_reader_of_many_sources_gets_those_with_most_unread_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(common, "MAX_RAIL", 2)
    reader = make_user()
    full, half, _, selected = [
        make_source(name, reader=reader, title=name) for name in ("Full", "Half", "Empty", "Own")
    ]
    for source, count in ((full, 3), (half, 2)):
        for n in range(count):
            make_item(source, f"News {n}")
    folder = Folder.objects.create(user=reader, name="A folder")
    Subscription.objects.filter(source=half).update(folder=folder)

    rail = rail_of(reader)
    assert "Full" in rail and "Half" in rail and "A folder" in rail
    assert "Empty" not in rail and "Own" not in rail
    assert "Show all 4 sources" in rail and 'href="/river/?rail=all"' in rail

    assert "Own" in rail_of(reader, f"?source={selected.pk}")
    whole = rail_of(reader, "?rail=all")
    assert "Empty" in whole and "Own" in whole and "Show all" not in whole


def test_a_folder_whose_sources_are_left_out_is_there_if_it_is_selected(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(common, "MAX_RAIL", 1)
    reader = make_user()
    many, few = (make_source(name, reader=reader, title=name) for name in ("Many", "Few"))
    for source, count in ((many, 3), (few, 1)):
        for n in range(count):
            make_item(source, f"News {n}")
    folder = Folder.objects.create(user=reader, name="A folder")
    Subscription.objects.filter(source=few).update(folder=folder)

    rail = rail_of(reader)
    assert "A folder" not in rail and "Few" not in rail

    rail = rail_of(reader, f"?folder={folder.pk}")
    assert f'<bdi>A folder</bdi> <span class="num" data-count="folder-{folder.pk}">1</span>' in rail
    assert "Few" not in rail


def test_a_reader_of_many_folders_gets_those_with_most_unread_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(common, "MAX_RAIL_FOLDERS", 1)
    reader = make_user()
    folders = [Folder.objects.create(user=reader, name=name) for name in ("Calm", "Loud")]
    for folder, count in zip(folders, (1, 2), strict=True):
        source = make_source(folder.name, reader=reader, title=f"In {folder.name}")
        Subscription.objects.filter(source=source).update(folder=folder)
        for n in range(count):
            make_item(source, f"News {n}")

    rail = rail_of(reader)
    assert "In Loud" in rail and "Calm" not in rail and "Show all 2 sources" in rail
    selected = rail_of(reader, f"?source={Source.objects.get(title='In Calm').pk}")
    assert "In Calm" in selected and "Loud" not in selected
    whole = rail_of(reader, "?rail=all")
    assert "In Loud" in whole and "In Calm" in whole and "Show all" not in whole


def test_the_queries_of_the_river_do_not_grow_with_folders_and_sources(
    django_assert_max_num_queries: Any,
) -> None:
    reader = make_user()
    client = Client()
    client.force_login(reader)
    for n in range(20):
        source = make_source(f"s{n}", reader=reader)
        make_item(source)
        folder = Folder.objects.create(user=reader, name=f"Folder {n}")
        Subscription.objects.filter(source=source).update(folder=folder)
    client.get("/river/")
    reader.bump_cache_version()

    with django_assert_max_num_queries(10):
        client.get("/river/")


def test_the_state_of_a_page_is_that_of_its_parts() -> None:
    reader = make_user()
    assert page_state(reader) == (reader_seq(reader.pk), news_for(reader))
    make_item(make_source(reader=reader))
    make_item(make_source("other"))

    assert page_state(reader) == (reader_seq(reader.pk), news_for(reader))
    assert Source.objects.count() == 2
