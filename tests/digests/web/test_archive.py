"""Editions by month and by day, one's own and everyone's, on pages and over the API."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client

from accounts.models import ApiToken, User
from digests.editions.read import neighbours
from digests.editions.writing import today_of
from digests.models import Digest, Writing
from digests.tasks import write_waiting
from tests.digests.make import make_edition
from tests.make import make_user

pytestmark = pytest.mark.django_db
CONTENT = {"stories": [], "also": [], "item_count": 0, "source_count": 0, "minutes": 1}


def keep(owner: User | None, *days: str) -> None:
    for day in days:
        Digest.objects.create(user=owner, date=date.fromisoformat(day), content=CONTENT)


def test_a_month_lists_its_editions_and_leads_to_its_neighbours(page: Client, reader: User) -> None:
    keep(reader, "2026-01-31", "2026-03-01", "2026-03-31", "2026-04-01", "2026-12-31")

    march = page.get("/digests/2026/3/").content.decode()
    december = page.get("/digests/2026/12/").content.decode()

    for link in ("/digest/2026-03-01/", "/digest/2026-03-31/", "/digests/2026/1/"):
        assert f'"{link}"' in march
    assert '"/digests/2026/4/"' in march
    assert "/digest/2026-04-01/" not in march
    assert "/digest/2026-12-31/" in december and 'rel="next"' not in december


def test_the_archive_opens_at_the_newest_month(page: Client, reader: User) -> None:
    keep(reader, "2026-03-01")

    assert page.get("/digests/").headers["Location"] == "/digests/2026/3/"
    assert page.get("/digests/global/").status_code == 302


@pytest.mark.parametrize("month", ["2026/13", "2026/0", "0/1", "9999/12", "99999/1"])
def test_a_month_that_cannot_be_is_not_found(page: Client, month: str) -> None:
    assert page.get(f"/digests/{month}/").status_code == 404


def test_an_edition_leads_to_those_before_and_after_it(page: Client, reader: User) -> None:
    keep(reader, "2026-03-01", "2026-03-09", "2026-03-20")

    page = page.get("/digest/2026-03-09/").content.decode()

    assert 'rel="prev" href="/digest/2026-03-01/"' in page
    assert 'rel="next" href="/digest/2026-03-20/"' in page
    assert "Edition 2 ·" in page


def test_what_stands_around_an_edition_takes_one_query(
    reader: User, django_assert_num_queries: Any
) -> None:
    keep(reader, "2026-03-01", "2026-03-09", "2026-03-20")
    digest = Digest.objects.get(date="2026-03-09")

    with django_assert_num_queries(1):
        around = neighbours(digest)
    assert (around.previous, around.following, around.number) == (
        date(2026, 3, 1),
        date(2026, 3, 20),
        2,
    )


def test_readers_see_their_own_editions_and_everyone_s_alone(page: Client, reader: User) -> None:
    other = make_user("other")
    keep(other, "2026-03-05")
    keep(None, "2026-03-06")

    month = page.get("/digests/2026/3/").content.decode()
    everyone = page.get("/digests/global/2026/3/").content.decode()

    assert "/digest/2026-03-05/" not in month and "2026-03-06" not in month
    assert '"/digest/global/2026-03-06/"' in everyone and "2026-03-05" not in everyone
    assert page.get("/digest/2026-03-05/").status_code == 404
    assert page.get("/digest/global/2026-03-06/").status_code == 200
    assert page.get("/digest/global/2026-03-05/").status_code == 404
    for page in ("/digest/global/", "/digests/2026/3/", "/digests/global/2026/3/"):
        assert Client().get(page).status_code == 302


def test_only_staff_have_everyone_s_edition_written_again(page: Client, reader: User) -> None:
    keep(None, "2026-03-06")
    assert page.post("/digest/global/").status_code == 403
    assert "Write it again" not in page.get("/digest/global/").content.decode()

    User.objects.update(is_staff=True)

    assert page.post("/digest/global/").status_code == 302
    assert Writing.objects.get().user is None


def test_writing_again_is_limited_and_said(page: Client, reader: User) -> None:
    make_edition(reader)
    for _ in range(6):
        assert "limit of updates" not in page.post("/digest/", follow=True).content.decode()
        assert write_waiting() == 1

    assert (
        "The limit of updates has been reached"
        in page.post("/digest/", follow=True).content.decode()
    )
    assert not Writing.objects.exists()


def test_the_page_says_that_an_edition_is_being_written(page: Client, reader: User) -> None:
    make_edition(reader)
    page.post("/digest/")
    waiting = page.get("/digest/").content.decode()
    Writing.objects.update(done=2, total=7, until="2999-01-01T00:00Z")
    going_on = page.get("/digest/").content.decode()

    assert "A new edition is queued." in waiting and "js/digest." in waiting
    assert "Writing story 3 of 7…" in going_on
    assert page.get("/digest/writing/").json() == {
        "kind": "writing",
        "is_global": False,
        "text": "Writing story 3 of 7…",
        "done": 2,
        "total": 7,
    }
    Writing.objects.update(until=None)
    write_waiting()
    assert "js/digest." not in page.get("/digest/").content.decode()
    assert page.get("/digest/writing/").json() == {"kind": "written", "is_global": False}


def test_a_weekly_reader_sees_the_newest_edition_on_other_days(page: Client, reader: User) -> None:
    today = today_of(reader)
    User.objects.update(digest_days=str((today.weekday() - 1) % 7))
    keep(reader, str(today - timedelta(days=1)))

    page = page.get("/digest/").content.decode()

    assert f'datetime="{today - timedelta(days=1)}"' in page
    assert Digest.objects.count() == 1


@pytest.mark.parametrize("path", ["/digests/2026/3/", "/digests/global/2026/3/"])
def test_the_number_of_queries_does_not_grow_with_the_month(
    page: Client,
    reader: User,
    path: str,
    django_assert_num_queries: pytest.FixtureRequest,
) -> None:
    keep(reader, "2026-03-01")
    keep(None, "2026-03-01")
    page.get(path)  # from now on, the session is read with its user
    with django_assert_num_queries(5):  # type: ignore[operator]
        page.get(path)
    for owner in (reader, None):
        keep(owner, *[f"2026-03-{day:02}" for day in range(2, 32)])
    with django_assert_num_queries(5):  # type: ignore[operator]
        page.get(path)


class Api:
    def __init__(self, reader: User) -> None:
        token = ApiToken.issue(reader, "test")
        self.client = Client(headers={"Authorization": f"Bearer {token}"})

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers=headers)

    def post(self, path: str) -> Any:
        return self.client.post(f"/api/v1{path}")


def test_the_api_lists_editions_in_pages(
    reader: User, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    api = Api(reader)
    keep(reader, *[f"2026-03-{day:02}" for day in range(1, 32)])
    keep(make_user("other"), "2026-03-15")
    api.get("/digests/")

    with django_assert_num_queries(2):  # type: ignore[operator]
        first = api.get("/digests/?limit=20").json()
    second = api.client.get(first["next"]).json()

    dates = [one["date"] for one in (*first["results"], *second["results"])]
    assert dates == [f"2026-03-{day:02}" for day in range(31, 0, -1)]
    assert second["next"] is None
    assert first["results"][0]["url"] == "http://testserver/api/v1/digests/2026-03-31/"
    assert api.get("/digests/?cursor=nonsense").status_code == 400


def test_the_api_gives_one_edition_and_says_when_it_is_the_same(reader: User) -> None:
    api = Api(reader)
    digest = make_edition(reader, "A lab publishes")
    make_edition(None, "For all")

    one = api.get(f"/digests/{digest.date}/")
    everyone = api.get(f"/digests/global/{digest.date}/").json()

    assert one.json()["content"]["stories"][0]["headline"] == "A lab publishes"
    assert one.json()["is_global"] is False and everyone["is_global"] is True
    assert everyone["content"]["stories"][0]["headline"] == "For all"
    assert api.get("/digest/global/").json() == everyone
    assert api.get("/digests/global/").json()["results"][0]["headlines"] == ["For all"]
    again = api.get(f"/digests/{digest.date}/", **{"If-None-Match": one.headers["ETag"]})
    assert again.status_code == 304
    assert api.get("/digests/2001-01-01/").status_code == 404


def test_the_api_has_an_edition_written_again(reader: User) -> None:
    api = Api(reader)
    make_edition(reader)

    asked = api.post("/digest/")
    going_on = api.get("/digest/writing/").json()
    write_waiting()

    assert asked.status_code == 202
    assert going_on["kind"] == "writing"
    assert api.get("/digest/writing/").json() == {"kind": "written", "is_global": False}
    assert api.post("/digest/global/").status_code == 403
    for _ in range(5):
        api.post("/digest/")
    assert api.post("/digest/").status_code == 429


def test_days_are_chosen_in_the_preferences(page: Client, reader: User) -> None:
    def save(**fields: Any) -> Any:
        kept = {"section": "digest", "digest_hour": "8", "time_zone": "Europe/Berlin"}
        answer = page.post("/preferences/", kept | fields)
        reader.refresh_from_db()
        return answer

    save(often="01234")
    assert reader.digest_days == "01234"
    save(often="chosen", days=["5", "1"])
    assert reader.digest_days == "15"
    assert save(often="chosen").status_code == 422 and reader.digest_days == "15"
    save(often="")
    assert reader.digest_days == ""
    assert "Only when I ask" in page.get("/preferences/").content.decode()
