"""The start of a new reader."""

import re

import pytest
from django.test import Client
from django.utils import timezone
from django_q.models import OrmQ
from pytest_django import DjangoAssertNumQueries, DjangoCaptureOnCommitCallbacks, Settings

from accounts.models import User
from feeds.models import ItemState, Source, Subscription
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


def make_pack(name: str, sources: int) -> list[Source]:
    return [
        make_source(f"{name}{number}", is_public=True, pack=name, weight=number)
        for number in range(sources)
    ]


def test_a_newcomer_goes_through_three_steps_to_the_front_page(
    page: Client,
    reader: User,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    make_pack("labs", 5)
    make_pack("press", 2)

    first = text(page, "/")
    assert "Step 1 of 3" in first
    assert "5 sources" in first and "Labs4, Labs3, Labs2&nbsp;…" in first

    with django_capture_on_commit_callbacks(execute=True):
        second = page.post("/start/", {"packs": ["labs"]}, follow=True).content.decode()
    assert "Step 2 of 3" in second
    assert Subscription.objects.filter(user=reader, source__pack="labs").count() == 5
    assert Subscription.objects.count() == 5
    assert OrmQ.objects.get().task["func"] == "feeds.tasks.poll_due"

    third = page.post("/start/topics/", {"topics": ["agents", "nonsense"]}, follow=True)
    assert "Step 3 of 3" in third.content.decode()

    form = {"digest_hour": "6", "time_zone": "Europe/Berlin"}
    front = page.post("/start/digest/", form, follow=True).content.decode()
    reader.refresh_from_db()
    assert reader.interests == {"agents": "more"}
    assert (reader.digest_hour, reader.time_zone) == (6, "Europe/Berlin")
    assert reader.digest_days == "0123456"
    assert "Fetching your sources… 5 to go." in front
    assert 'hx-trigger="every 3s"' in front


def test_the_front_page_stops_asking_when_there_are_items_or_all_was_fetched(
    page: Client, reader: User
) -> None:
    source = make_source("lab", reader=reader)
    assert "Fetching your sources" in text(page, "/")

    Source.objects.update(last_fetched_at=timezone.now())
    assert "every 3s" not in text(page, "/")

    Source.objects.update(last_fetched_at=None)
    Source.objects.filter(pk=source.pk).update(status="paused")
    assert "every 3s" not in text(page, "/")


def test_each_step_can_be_skipped_and_the_start_does_not_come_back(page: Client) -> None:
    make_pack("labs", 1)
    address = "/"
    for step in (1, 2, 3):
        shown = text(page, address)
        assert f"Step {step} of 3" in shown
        address = re.findall(r'<a href="([^"]+)">Skip</a>', shown)[0]

    assert address == "/"
    front = text(page, "/")
    assert "Step 1" not in front
    assert "follow any sources yet" in front and "/start/" in front
    assert not Subscription.objects.exists()


def test_readers_who_were_here_before_do_not_see_the_start(page: Client, reader: User) -> None:
    source = make_source("lab")
    ItemState.objects.create(user=reader, item=make_item(source), is_read=True)
    assert "Step 1" not in text(page, "/")

    ItemState.objects.all().delete()
    assert "Step 1" in text(page, "/")
    assert "Step 1" not in text(page, "/?unread=1")
    Subscription.objects.create(user=reader, source=source)
    assert "Step 1" not in text(page, "/")


def test_the_start_can_be_opened_again_and_shows_what_was_chosen(
    page: Client, reader: User
) -> None:
    for source in make_pack("labs", 2):
        Subscription.objects.create(user=reader, source=source)
    User.objects.filter(pk=reader.pk).update(interests={"agents": "more", "chips": "mute"})

    assert "/start/" in text(page, "/sources/")
    shown = text(page, "/start/")
    assert "you follow all" in shown and 'value="labs" checked' in shown
    assert 'value="agents" checked' in text(page, "/start/topics/")

    page.post("/start/topics/", {"topics": ["chips", "safety"]})
    reader.refresh_from_db()
    assert reader.interests == {"chips": "more", "safety": "more"}


def test_a_zone_that_does_not_exist_is_said_and_nothing_saved(page: Client, reader: User) -> None:
    answer = page.post("/start/digest/", {"digest_hour": "6", "time_zone": "Nowhere"})

    assert answer.status_code == 422
    assert "Unknown time zone." in answer.content.decode()
    assert 'value="Nowhere"' in answer.content.decode()
    reader.refresh_from_db()
    assert (reader.digest_hour, reader.time_zone) == (7, "UTC")


def test_packs_are_followed_up_to_the_quota(page: Client, reader: User, settings: Settings) -> None:
    settings.QUOTAS = settings.QUOTAS | {"sources": 3}
    make_pack("labs", 5)

    shown = page.post("/start/", {"packs": ["labs"]}, follow=True).content.decode()

    assert Subscription.objects.filter(user=reader).count() == 3
    assert "Not all sources were added" in shown


def test_private_sources_and_other_packs_are_not_followed(page: Client, reader: User) -> None:
    make_source("private", pack="labs", reader=make_user("other"))
    make_source("paused", is_public=True, pack="labs", status="paused")

    page.post("/start/", {"packs": ["labs", ""]})

    assert not Subscription.objects.filter(user=reader).exists()


def test_a_pack_shows_the_newest_headline_of_its_first_sources(page: Client) -> None:
    source, _ = make_pack("labs", 2)
    make_item(source, title="Old news")
    make_item(source, title="A new model")

    shown = page.get("/start/").content.decode()

    assert "A new model" in shown
    assert shown.count("pack-headline") == 1
    assert "Old news" not in shown


def test_the_queries_of_the_packs_do_not_grow(
    page: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    make_pack("labs", 2)
    page.get("/start/")
    with django_assert_num_queries(5):
        page.get("/start/")
    for name in ("press", "research", "papers"):
        make_pack(name, 10)
    with django_assert_num_queries(5):
        page.get("/start/")
