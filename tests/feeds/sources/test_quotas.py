"""Quotas of one reader, and long lists that come in pages."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpResponse
from django.test import Client

from accounts.models import ApiToken, User
from feeds.core.errors import FeedError
from feeds.models import Folder, Source, Subscription
from feeds.sources.subscriptions import add_source, import_opml
from tests.make import make_source

pytestmark = pytest.mark.django_db


@pytest.fixture
def quotas(settings: Any) -> dict[str, int]:
    settings.QUOTAS = dict(settings.QUOTAS)
    return settings.QUOTAS  # type: ignore[no-any-return]


def opml_of(count: int, folder: str = "") -> bytes:
    feeds = "".join(f'<outline xmlUrl="https://lab{n}.example/feed"/>' for n in range(count))
    inside = f'<outline text="{folder}">{feeds}</outline>' if folder else feeds
    return f'<opml version="2.0"><body>{inside}</body></opml>'.encode()


def test_a_reader_follows_no_more_sources_than_the_quota(
    reader: User, page: Client, quotas: dict[str, int]
) -> None:
    quotas["sources"] = 2
    for n in range(2):
        add_source(f"https://lab{n}.example/feed", user=reader)

    with pytest.raises(FeedError, match="You already have 2 sources, the maximum"):
        add_source("https://lab2.example/feed", user=reader)
    assert not Source.objects.filter(url__contains="lab2").exists()
    add_source("https://lab1.example/feed", user=reader)  # one that they have

    public = make_source("public", is_public=True)
    answer = page.post(f"/sources/{public.pk}/", {"action": "follow"}, follow=True)
    assert "You already have 2 sources, the maximum" in answer.content.decode()
    answer = page.post("/api/v1/sources/", {"url": "https://lab3.example/feed"})
    assert answer.status_code in (400, 415)
    assert Subscription.objects.count() == 2


def test_the_api_says_that_the_quota_is_used_up(page: Client, quotas: dict[str, int]) -> None:
    quotas["sources"] = 1
    send = {"content_type": "application/json"}
    assert (
        page.post("/api/v1/sources/", {"url": "https://a.example/feed"}, **send).status_code == 201
    )

    answer = page.post("/api/v1/sources/", {"url": "https://b.example/feed"}, **send)

    assert answer.status_code == 400
    assert "You already have 1 source, the maximum" in answer.json()["url"]


def test_an_import_stops_at_the_quota_of_sources(reader: User, quotas: dict[str, int]) -> None:
    quotas["sources"] = 5
    add_source("https://lab0.example/feed", user=reader)

    report = import_opml(reader, opml_of(20))

    assert len(report.added) == 4
    assert report.known == ("https://lab0.example/feed",)
    assert report.failed == (("", "15 feeds were not imported: you can have 5 sources at most."),)
    assert Source.objects.count() == 5


def test_a_quota_of_0_is_unlimited(reader: User, quotas: dict[str, int]) -> None:
    quotas["sources"] = 0

    assert len(import_opml(reader, opml_of(20)).added) == 20


def test_a_reader_makes_no_more_folders_than_the_quota(
    reader: User, page: Client, quotas: dict[str, int]
) -> None:
    quotas["folders"] = 1
    Folder.objects.create(user=reader, name="Labs")
    form = {"url": "https://lab.example/feed", "step": "confirm"}

    refused = page.post("/sources/add/", form | {"folder": "Labs / Europe"})
    allowed = page.post("/sources/add/", form | {"folder": "Labs"})

    assert "You already have 1 folder, the maximum" in refused.content.decode()
    assert allowed.status_code == 302
    assert Folder.objects.count() == 1


def test_feeds_whose_folder_exceeds_the_quota_go_to_its_parent(
    reader: User, quotas: dict[str, int]
) -> None:
    quotas["folders"] = 1

    report = import_opml(reader, opml_of(2, "Labs"))
    further = import_opml(reader, opml_of(3, "Papers"))

    assert (len(report.added), len(further.added)) == (2, 1)
    assert further.failed[-1] == (
        "",
        "1 folder was not created: you can have 1 folder at most. Its feeds were imported.",
    )
    names = dict(Subscription.objects.values_list("source__url", "folder__name"))
    assert names["https://lab0.example/feed"] == "Labs"
    assert names["https://lab2.example/feed"] is None


def test_a_reader_makes_no_more_tokens_than_the_quota(
    reader: User, page: Client, quotas: dict[str, int]
) -> None:
    quotas["tokens"] = 1
    ApiToken.issue(reader, "phone")

    answer = page.post("/preferences/", {"section": "token", "name": "tablet"})

    assert answer.status_code == 422
    assert "You already have 1 API token, the maximum" in answer.content.decode()
    assert reader.api_tokens.count() == 1


def test_a_reader_has_no_more_channels_than_the_quota(
    reader: User, page: Client, quotas: dict[str, int]
) -> None:
    quotas["channels"] = 1
    form = {"kind": "feed", "target": ""}
    assert page.post("/digest/delivery/", form | {"which": "own"}).status_code == 302

    answer = page.post("/digest/delivery/", form | {"which": "global"})

    assert answer.status_code == 422
    assert "You already have 1 channel, the maximum" in answer.content.decode()


def follow_many(reader: User, count: int) -> None:
    sources = Source.objects.bulk_create(
        [Source(url=f"https://s{n:05}.example/", title=f"Outlet {n:05}") for n in range(count)]
    )
    Subscription.objects.bulk_create([Subscription(user=reader, source=one) for one in sources])


def test_the_list_of_sources_comes_in_pages(reader: User, page: Client) -> None:
    follow_many(reader, 450)

    def names(number: int) -> list[str]:
        text = page.get(f"/sources/?page={number}").content.decode()
        return [n for n in (f"Outlet {i:05}" for i in range(450)) if n in text]

    pages = [names(number) for number in range(1, 6)]
    assert [len(shown) for shown in pages] == [100, 100, 100, 100, 50]
    assert {name for shown in pages for name in shown} == {f"Outlet {i:05}" for i in range(450)}
    assert "450 sources" in page.get("/sources/").content.decode()
    assert 'href="?page=2"' in page.get("/sources/").content.decode()
    assert names(99) == names(5)
    assert page.get("/sources/?page=nonsense").status_code == 200


def test_the_list_of_sources_costs_the_same_queries_at_any_length(
    reader: User, page: Client, django_assert_num_queries: Any
) -> None:
    follow_many(reader, 3)
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    page.get("/sources/")  # what stands beside all pages is cached
    with CaptureQueriesContext(connection) as few:
        page.get("/sources/")
    number = len(few)
    follow_more = [Source(url=f"https://more{n}.example/", title=f"More {n}") for n in range(300)]
    made = Source.objects.bulk_create(follow_more)
    Subscription.objects.bulk_create([Subscription(user=reader, source=one) for one in made])

    page.get("/sources/")  # the items per day of these sources are cached
    with django_assert_num_queries(number):
        page.get("/sources/")


def test_an_import_of_many_outlines_is_answered_briefly(page: Client) -> None:
    def send(file: bytes) -> HttpResponse:
        files = {"opml": SimpleUploadedFile("mine.opml", file)}
        return page.post("/sources/import/", files, follow=True)

    bad = b'<opml version="2.0"><body>' + b'<outline text="nothing"/>' * 60_000 + b"</body></opml>"
    answer = send(bad)
    assert answer.status_code == 200
    assert len(answer.content) < 100_000
    assert "59,8" in answer.content.decode() or "more" in answer.content.decode()

    answer = send(opml_of(5_000))
    assert len(answer.content) < 100_000
    assert "<strong>2000</strong> added" in answer.content.decode()


def test_sources_of_the_api_can_be_read_in_pages(reader: User, page: Client) -> None:
    follow_many(reader, 120)

    whole = page.get("/api/v1/sources/")
    assert len(whole.json()) == 120
    assert "Link" not in whole

    answer = page.get("/api/v1/sources/?limit=50")
    seen = [one["id"] for one in answer.json()]
    assert len(seen) == 50
    while "Link" in answer:
        following = answer["Link"].partition("<")[2].partition(">")[0]
        answer = page.get(following)
        seen += [one["id"] for one in answer.json()]
    assert sorted(seen) == sorted(one["id"] for one in whole.json())
