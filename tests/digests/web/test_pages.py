"""The digest's pages and its place in the API."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.editions import read
from digests.models import Digest, Writing
from digests.tasks import write_waiting
from feeds.models import Source
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
TEXT = "The lab published a model of seven billion weights on Wednesday. More follows."


@pytest.fixture
def signed_in(client: Client) -> Client:
    reader = make_user()
    make_story(make_item(make_source("one", reader=reader), text=TEXT))
    client.force_login(reader)
    return client


def test_today_s_edition_is_there_when_first_asked_for(signed_in: Client) -> None:
    page = signed_in.get("/digest/")

    assert page.status_code == 200
    assert "seven billion weights" in page.content.decode()


def test_a_reader_without_news_is_told_of_a_quiet_day(client: Client) -> None:
    client.force_login(make_user("new"))

    assert "A quiet day" in client.get("/digest/").content.decode()


def test_an_edition_from_before_the_first_source_gets_its_news(page: Client, reader: User) -> None:
    assert "A quiet day" in page.get("/digest/").content.decode()
    make_story(make_item(make_source("one", reader=reader), text=TEXT))

    assert "seven billion weights" in page.get("/digest/").content.decode()


def test_an_empty_edition_is_not_written_at_each_visit(
    page: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    days: list[object] = []
    page.get("/digest/")
    monkeypatch.setattr(read, "write_or_retry_later", lambda user, day: days.append(day))
    for _ in range(3):
        page.get("/digest/")

    assert len(days) == 1


def test_a_day_without_an_edition_offers_to_write_it(signed_in: Client) -> None:
    day = (timezone.now() - timedelta(days=9)).date()

    assert signed_in.get(f"/digest/{day}/").status_code == 404
    assert signed_in.post(f"/digest/{day}/").status_code == 302
    assert "is queued" in signed_in.get(f"/digest/{day}/").content.decode()
    assert write_waiting() == 1
    assert signed_in.get(f"/digest/{day}/").status_code == 200


@pytest.mark.parametrize("day", ["2999-01-01", "2026-02-31", "0001-01-01", "yesterday"])
def test_a_day_that_cannot_be_is_not_found(signed_in: Client, day: str) -> None:
    assert signed_in.get(f"/digest/{day}/").status_code == 404


def test_the_digest_needs_a_reader(client: Client) -> None:
    assert client.get("/digest/").status_code == 302
    assert client.get("/api/v1/digest/").status_code in (401, 403)


def test_the_api_gives_today_s_edition(signed_in: Client) -> None:
    answer = signed_in.get("/api/v1/digest/").json()

    assert answer["written_by"] == "extractive"
    assert answer["content"]["stories"][0]["citations"][0]["number"] == 1


@pytest.mark.parametrize("error", ["", "It failed."])
def test_page_and_api_say_whose_edition_is_written(client: Client, error: str) -> None:
    staff = make_user("staff", is_staff=True)
    client.force_login(staff)
    client.get("/digest/global/")
    now = timezone.now()
    # After DIGEST_HOUR the page has asked for the edition of the day already.
    Writing.objects.update_or_create(
        user=None,
        date=now.date(),
        defaults={"next_try_at": now, "error": error, "until": None if error else now},
    )

    page = client.get("/digest/global/").content.decode()

    kind = "failed" if error else "writing"
    assert 'data-writing="/digest/global/writing/"' in page
    assert 'data-socket="/ws/digest/global/"' in page
    assert "data-writing" not in client.get("/digest/").content.decode()
    for path, is_global in ((" ", False), (" global/", True)):
        for address in ("/digest/{}writing/", "/api/v1/digest/{}writing/"):
            said = client.get(address.format(path.strip())).json()
            assert said["kind"] == (kind if is_global else "written")
            assert said["is_global"] is is_global
    said = client.post("/api/v1/digest/global/").json()
    assert said["is_global"] is True and said["kind"] != "written"


def test_an_edition_that_is_written_again_shows_what_is_new(signed_in: Client) -> None:
    assert "nine billion" not in signed_in.get("/digest/").content.decode()
    text = "Another lab published a model of nine billion weights on Thursday. More follows."
    source = Source.objects.get()
    make_story(make_item(source, "Another lab does so too", text=text))
    assert "nine billion" not in signed_in.get("/digest/").content.decode()

    signed_in.post("/digest/")
    write_waiting()

    assert "nine billion" in signed_in.get("/digest/").content.decode()


def test_an_edition_is_shown_escaped(signed_in: Client) -> None:
    signed_in.get("/digest/")
    digest = Digest.objects.get()
    digest.content["stories"][0]["headline"] = "<script>alert(1)</script>"
    digest.save()

    for _ in range(2):
        page = signed_in.get("/digest/").content.decode()
        assert "<script>alert" not in page
        assert "&lt;script&gt;alert(1)" in page
