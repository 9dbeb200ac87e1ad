"""Editions are written when due; one that fails leaves what was there and is tried again."""

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import stopping
from ainews_site.infra.stopping import TaskStopped
from digests.editions.progress import progress_of
from digests.editions.write import write_digest
from digests.editions.writing import (
    process_writings,
    request_due,
    request_writing,
    today_of,
    waiting_writings,
)
from digests.models import Delivery, Digest, Writing
from digests.tasks import write_due_digests, write_waiting
from feeds.models import Source
from tests.digests.make import TEXT, make_channel, make_edition, make_reader
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 5, 20, 12, tzinfo=UTC)


def test_an_edition_from_before_its_hour_is_written_again_when_it_is_due() -> None:
    reader = make_reader(digest_hour=7)
    make_edition(reader, "Early", now=NOW.replace(hour=5))

    assert request_due(NOW.replace(hour=7, minute=1)) == 1
    assert Writing.objects.get().date == NOW.date()


def test_nothing_is_due_once_it_is_written_until_the_next_hour() -> None:
    reader = make_reader(digest_hour=7)
    make_edition(reader, "Told", now=NOW)

    assert request_due(NOW + timedelta(hours=1)) == 0
    assert request_due(NOW + timedelta(hours=18, minutes=59)) == 0
    assert request_due(NOW + timedelta(hours=19, minutes=1)) == 1


def test_a_newcomer_s_first_edition_is_that_of_their_next_hour() -> None:
    reader = make_reader(date_joined=NOW, digest_hour=7)
    make_source("one", reader=reader)

    assert request_due(NOW) == 0
    assert request_due(NOW + timedelta(hours=20)) == 1


def reader_with_news() -> User:
    """Whose hour has come, with a way by which editions leave."""
    reader = make_reader(digest_hour=timezone.now().hour)
    make_story(make_item(make_source("one", reader=reader), text=TEXT))
    make_channel(reader, "slack", "https://hooks.example/x")
    return reader


def test_an_edition_that_a_page_wrote_after_its_hour_is_delivered_all_the_same(
    client: Client,
) -> None:
    client.force_login(reader_with_news())

    assert b"A lab publishes a model" in client.get("/digest/").content
    write_due_digests()

    assert Delivery.objects.get().digest.content["item_count"] == 1


def test_an_edition_that_a_model_writes_is_given_back_when_the_worker_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader_with_news()
    request_due(timezone.now())
    monkeypatch.setattr("digests.editions.write.is_configured", lambda: True)
    monkeypatch.setattr("digests.editions.writing.is_stopping", lambda: True)

    with pytest.raises(TaskStopped):
        process_writings(waiting_writings()[0])
    monkeypatch.undo()

    assert not Writing.objects.exclude(until=None).exists()
    assert write_waiting(), "at once"
    assert not Writing.objects.exists()


def test_a_stopping_worker_leaves_editions_to_its_successor(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader_with_news()
    request_due(timezone.now())
    monkeypatch.setattr("digests.tasks.is_stopping", lambda: True)

    assert write_waiting() == 0
    assert stopping.take_rest()


def test_an_edition_asked_for_by_hand_after_its_hour_is_delivered_all_the_same(
    client: Client,
) -> None:
    client.force_login(reader_with_news())

    client.post("/digest/")
    write_waiting()
    write_due_digests()

    assert Delivery.objects.count() == 1


def test_an_edition_that_the_command_wrote_after_its_hour_is_delivered_all_the_same() -> None:
    reader_with_news()

    call_command("digest")
    write_due_digests()

    assert Delivery.objects.count() == 1


def test_a_quiet_edition_that_has_left_tells_nothing_more() -> None:
    """What it told then would reach no channel, and count as told."""
    reader = make_reader(digest_hour=timezone.now().hour)
    source = make_source("one", reader=reader)
    make_channel(reader, "slack", "https://hooks.example/x")
    write_due_digests()
    assert Delivery.objects.count() == 1

    make_story(make_item(source, text=TEXT))
    write_due_digests()

    assert Digest.objects.get().content["stories"] == []


def test_a_quiet_edition_that_stays_quiet_is_no_new_one() -> None:
    reader = make_reader(digest_hour=timezone.now().hour)
    make_source("one", reader=reader)
    write_due_digests()
    first, version = Digest.objects.get(), User.objects.get().version

    write_due_digests()

    again = Digest.objects.get()
    assert again.created_at == first.created_at
    assert again.known_until > first.known_until
    assert User.objects.get().version == version


def test_an_older_edition_is_not_written_after_a_newer_one() -> None:
    reader = make_reader(digest_hour=7)
    make_edition(reader, "By hand before the hour", now=NOW.replace(hour=5))

    assert request_due(NOW.replace(hour=6)) == 0


def test_a_reader_who_wants_none_by_itself_gets_none() -> None:
    make_source("one", reader=make_reader(digest_days=""))

    assert request_due(NOW) == 0


def test_everyone_s_edition_is_due_where_there_are_public_sources(settings: object) -> None:
    make_source("public", is_public=True)

    assert request_due(NOW) == 1
    settings.DIGEST_HOUR = -1  # type: ignore[attr-defined]
    Writing.objects.all().delete()
    assert request_due(NOW) == 0


def damage(reader: User) -> Digest:
    """A damaged edition of two days ago, from which nothing can go on."""
    day = today_of(reader) - timedelta(days=2)
    return Digest.objects.create(user=reader, date=day, content={"item_count": 1})


def test_a_failure_leaves_the_last_edition_and_is_said_and_tried_again(client: Client) -> None:
    reader = make_reader()
    make_edition(reader, "A good headline")
    good = Digest.objects.get()
    damaged = damage(reader)
    request_writing(reader, today_of(reader))

    assert write_waiting() == 0

    good.refresh_from_db()
    assert good.content["stories"][0]["headline"] == "A good headline"
    client.force_login(reader)
    page = client.get("/digest/").content.decode()
    assert "A good headline" in page
    assert "The edition could not be written." in page and "Next attempt at" in page
    assert progress_of(reader)["kind"] == "failed"
    assert write_waiting() == 0 and Writing.objects.get().attempts == 1

    damaged.delete()
    Writing.objects.update(next_try_at=timezone.now())
    assert write_waiting() == 1
    assert not Writing.objects.exists()
    assert progress_of(reader) == {"kind": "written", "is_global": False}


def test_a_page_whose_edition_cannot_be_written_shows_the_last_one(client: Client) -> None:
    reader = make_reader()
    make_edition(reader, "A good headline")
    Digest.objects.update(date=today_of(reader) - timedelta(days=1))
    damage(reader)
    client.force_login(reader)

    pages = [client.get("/digest/").content.decode() for _ in range(2)]

    assert all("A good headline" in page for page in pages)
    assert all("The edition could not be written." in page for page in pages)
    assert Writing.objects.get().next_try_at > timezone.now()


def test_one_reader_s_failure_keeps_no_other_from_theirs() -> None:
    broken, whole = make_reader("broken"), make_reader("whole")
    for reader in (broken, whole):
        make_story(make_item(make_source(str(reader), reader=reader), text=TEXT))
    damaged = damage(broken)

    assert write_due_digests() == 1

    assert Digest.objects.exclude(pk=damaged.pk).get().user == whole


def test_what_one_worker_writes_no_other_takes_until_it_is_given_up() -> None:
    reader = make_reader()
    wanted = request_writing(reader, today_of(reader))
    held = timezone.now() + timedelta(minutes=5)
    Writing.objects.update(until=held)

    assert waiting_writings() == [] and not process_writings([wanted.pk])

    Writing.objects.update(until=timezone.now() - timedelta(seconds=1))
    assert waiting_writings() == [[wanted.pk]] and process_writings([wanted.pk])


def test_progress_is_told_story_by_story(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("digests.editions.write.is_configured", lambda: True)
    reader = make_reader()
    for n in range(3):
        make_story(make_item(make_source(f"outlet{n}", reader=reader), f"Story {n}", text=TEXT))
    steps: list[tuple[int, int]] = []

    write_digest(
        reader,
        seconds_for_model=30,
        on_progress=lambda done, total: steps.append((done, total)),
    )

    assert steps == [(0, 3), (1, 3), (2, 3)]


def test_how_many_queries_find_what_is_due_does_not_grow_with_the_readers(
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    for n in range(8):
        reader = make_reader(f"reader{n}")
        source, _ = Source.objects.get_or_create(url="https://one.example/feed")
        source.subscriptions.create(user=reader)
        write_digest(reader, now=NOW - timedelta(days=1, hours=n))
        Digest.objects.filter(user=reader).update(date=NOW.date(), ends_at=NOW)
    Digest.objects.update(content={"stories": [], "also": [], "item_count": 1})

    with django_assert_num_queries(4):  # type: ignore[operator]
        assert request_due(NOW) == 0
