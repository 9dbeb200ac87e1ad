"""A move shows no reader a source, an item or a title that they could not see before."""

import logging
from typing import Any

import pytest
from django.contrib.admin.sites import site
from django.test import Client, RequestFactory

from accounts.models import User
from feeds.ingest.move import adopt_address
from feeds.models import Item, ItemKey, ItemState, Source, Story, Subscription
from feeds.sources.catalogue import load_catalogue
from feeds.stories.grouping.group import group_new_items
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
PUBLIC_URL, PRIVATE_URL = "https://open.example/feed", "https://open.example/feed?key=secret"


def titles(name: str) -> set[str]:
    """Return all items and sources that a reader can list."""
    client = Client()
    client.force_login(User.objects.get(username=name))
    items = client.get("/api/v1/items/?limit=200").json()["results"]
    sources = client.get("/api/v1/sources/?all=1").json()
    return {row["title"] for row in items} | {row["title"] for row in sources}


@pytest.fixture
def private() -> Source:
    """Create a private feed with an item, at the host of a public one."""
    source = make_source("secret", url=PRIVATE_URL, reader=make_user("owner"))
    make_item(source, "Secret item")
    return source


def is_untouched(source: Source) -> bool:
    before = (source.is_public, source.title, source.weight, source.pack, source.topics)
    readers = set(source.subscriptions.values_list("user__username", flat=True))
    source.refresh_from_db()
    after = (source.is_public, source.title, source.weight, source.pack, source.topics)
    return before == after and readers == {"owner"}


def test_a_public_source_that_redirects_to_a_private_one_is_not_merged(
    private: Source, caplog: pytest.LogCaptureFixture
) -> None:
    public = make_source("open", url=PUBLIC_URL, reader=make_user("other"), is_public=True)
    shown = make_item(public, "Open item")
    caplog.set_level(logging.INFO)

    assert adopt_address(public, PRIVATE_URL) == public

    assert is_untouched(private)
    public.refresh_from_db()
    assert (public.is_public, public.status, public.url) == (True, "active", PUBLIC_URL)
    assert set(Item.objects.filter(source=public)) == {shown}
    assert titles("other") == {"Open", "Open item"}
    assert "source_move_refused" in caplog.text


def test_a_public_source_is_not_merged_into_a_private_one_without_readers(private: Source) -> None:
    private.subscriptions.all().delete()
    make_user("other")
    public = make_source("open", url=PUBLIC_URL, is_public=True)

    assert adopt_address(public, PRIVATE_URL) == public

    private.refresh_from_db()
    assert not private.is_public
    assert titles("other") == {"Open"}


def test_an_address_without_followers_and_items_may_take_a_public_source_over() -> None:
    make_user("other")
    public = make_source("open", url=PUBLIC_URL, is_public=True)
    make_item(public, "Open item")
    bare = Source.objects.create(url=PRIVATE_URL, status=Source.Status.PAUSED)

    assert adopt_address(public, PRIVATE_URL) == bare

    bare.refresh_from_db()
    assert (bare.is_public, bare.status, bare.title) == (True, "active", "Open")


def test_a_private_source_takes_neither_items_nor_its_title_to_a_public_one(
    private: Source,
) -> None:
    """Its readers follow the public source from then on."""
    make_user("other")
    public = make_source("open", url=PUBLIC_URL, title="", is_public=True)

    assert adopt_address(private, PUBLIC_URL) == public

    public.refresh_from_db()
    assert public.title == ""
    assert not Item.objects.filter(source=public).exists()
    assert not ItemKey.objects.filter(source=public).exists()
    assert titles("other") == {""}
    assert set(public.subscriptions.values_list("user__username", flat=True)) == {"owner"}


def test_two_private_sources_of_different_readers_are_not_merged(private: Source) -> None:
    mine = make_source("mine", url="https://open.example/mine", reader=make_user("other"))
    make_item(mine, "My item")

    assert adopt_address(mine, PRIVATE_URL) == mine

    assert is_untouched(private)
    assert titles("other") == {"Mine", "My item"}
    assert titles("owner") == {"Secret", "Secret item"}


def test_a_reader_who_follows_both_does_not_bring_the_items_to_others(private: Source) -> None:
    """All who followed the one follow the other: they lose nothing. The items stay, as the
    other has readers who could not see them."""
    owner = private.subscriptions.get().user
    other = make_user("other")
    Subscription.objects.create(user=other, source=private)
    mine = make_source("mine", url="https://open.example/mine", reader=owner)
    make_item(mine, "My item")

    assert adopt_address(mine, PRIVATE_URL) == private

    assert titles("other") == {"Secret", "Secret item"}
    private.refresh_from_db()
    assert private.title == "Secret"


def test_a_saved_item_never_shows_a_private_version_of_it(private: Source) -> None:
    """The entry may have more content at the private address."""
    owner, stranger = private.subscriptions.get().user, make_user("stranger")
    old = make_source("old", url="https://open.example/old", reader=owner)
    free, paid = make_item(old, "Entry"), Item.objects.get(source=private)
    key = ItemKey.objects.get(item_id=free.pk).key_hash
    ItemKey.objects.filter(item_id=paid.pk).update(key_hash=key)
    for user in (owner, stranger):
        ItemState.objects.create(user=user, item=free, is_saved=True)

    adopt_address(old, PRIVATE_URL)

    assert ItemState.objects.get(user=owner, item=paid).is_saved
    assert not ItemState.objects.filter(user=stranger, item=paid).exists()
    assert ItemState.objects.get(user=stranger).item == free


def test_stories_count_the_items_of_a_source_that_an_administrator_makes_public(
    django_capture_on_commit_callbacks: Any,
) -> None:
    owner = make_user("owner")
    title = "Orbit Labs releases Kestrel, an open model with 40 billion parameters"
    make_item(make_source("open", is_public=True), title)
    private = make_source("secret", reader=owner)
    make_item(private, title)
    group_new_items()
    assert Story.objects.get().item_count == 1
    admin = Client()
    admin.force_login(make_user("root", is_staff=True, is_superuser=True))

    with django_capture_on_commit_callbacks(execute=True):
        answer = admin.post(
            "/admin/feeds/source/",
            {"action": "make_public", "_selected_action": [private.pk]},
            follow=True,
        )

    assert Story.objects.get().item_count == 2
    assert "past items" in answer.content.decode()


def test_stories_forget_the_items_of_a_source_that_is_made_private(
    rf: RequestFactory, django_capture_on_commit_callbacks: Any
) -> None:
    title = "Orbit Labs releases Kestrel, an open model with 40 billion parameters"
    make_item(make_source("open", is_public=True), title)
    other = make_source("other", is_public=True)
    make_item(other, title)
    group_new_items()
    assert Story.objects.get().item_count == 2
    admin: Any = site.get_model_admin(Source)
    request = rf.post("/")
    other.is_public = False

    class Form:
        changed_data = ("is_public",)

    with django_capture_on_commit_callbacks(execute=True):
        admin.save_model(request, other, Form(), True)

    assert Story.objects.get().item_count == 1


def test_stories_count_a_source_that_joins_the_catalogue() -> None:
    title = "Orbit Labs releases Kestrel, an open model with 40 billion parameters"
    make_item(make_source("open", is_public=True), title)
    known = make_source("known", reader=make_user("owner"))
    make_item(known, title)
    group_new_items()

    load_catalogue([{"url": known.url, "title": "Known", "pack": "labs"}])

    assert Story.objects.get().item_count == 2
