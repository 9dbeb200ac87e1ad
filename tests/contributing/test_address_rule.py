"""An address rule is one module and one line in `RULES`; every way to add a source uses it."""

from collections.abc import Iterator
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import ApiToken, User
from feeds.models import Source
from feeds.sources import address_rules
from feeds.sources.address_rules import RULES, feed_address
from feeds.sources.discover import discover
from feeds.sources.subscriptions import import_opml
from tests.contributing import toy_address_rule
from tests.feeds.ingest.server import Server, reply, serve
from tests.feeds.sources.test_discover import page, rss

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(address_rules, "RULES", (*RULES, toy_address_rule.RULE))
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]


@pytest.fixture
def site() -> Iterator[Server]:
    routes = {
        "/members/ada": reply(200, page()),
        "/members/ada/posts.xml": reply(200, rss("Posts of Ada")),
        "/members/bob": reply(200, page("/bob.rss")),
        "/bob.rss": reply(200, rss("Bob's feed")),
    }
    with serve(routes) as server:
        yield server


def urls() -> list[str]:
    return [source.url for source in Source.objects.all()]


def test_its_examples_hold() -> None:
    for address, feed in toy_address_rule.RULE.examples:
        assert feed_address(address) == feed_address(feed) == feed


def test_discovery_reads_the_feed_and_does_not_ask_the_page(site: Server) -> None:
    (found,) = discover(site.url + "/members/ada").candidates

    assert (found.title, found.url) == ("Posts of Ada", site.url + "/members/ada/posts.xml")
    assert [path for _, path, _ in site.requests] == ["/members/ada/posts.xml"]


def test_where_the_rule_is_wrong_the_page_says_where_its_feed_is(site: Server) -> None:
    (found,) = discover(site.url + "/members/bob").candidates

    assert (found.title, found.url) == ("Bob's feed", site.url + "/bob.rss")


def test_the_page_previews_and_follows_the_feed(site: Server, reader: User) -> None:
    client = Client()
    client.force_login(reader)

    preview = client.post("/sources/add/", {"url": site.url + "/members/ada"})
    client.post("/sources/add/", {"url": site.url + "/members/ada", "step": "confirm"})

    assert "Posts of Ada" in preview.content.decode()
    assert urls() == [site.url + "/members/ada/posts.xml"]


def test_the_api_follows_the_feed(site: Server, reader: User) -> None:
    api = Client(headers={"authorization": f"Bearer {ApiToken.issue(reader, 'test')}"})

    answer = api.post(
        "/api/v1/sources/", {"url": site.url + "/members/ada"}, content_type="application/json"
    )

    assert answer.json()["url"] == site.url + "/members/ada/posts.xml"


def test_an_opml_file_and_the_command_follow_the_feed(site: Server, reader: User) -> None:
    line = f'<outline xmlUrl="{site.url}/members/ada"/>'
    report = import_opml(reader, f"<opml><body>{line}</body></opml>".encode())
    call_command("add_source", site.url + "/members/ada", user=reader.username)

    assert report.added == (site.url + "/members/ada/posts.xml",)
    assert urls() == [site.url + "/members/ada/posts.xml"]
