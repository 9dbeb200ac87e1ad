"""A kind of feed is one module and one line in `FORMATS`; every way to read feeds takes it."""

import json
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from accounts.models import User
from feeds.core.errors import FeedError
from feeds.core.sandbox import Sandbox
from feeds.ingest.parse import formats
from feeds.ingest.parse.feed import parse_feed
from feeds.models import Item, Source
from feeds.sources.discover import discover
from feeds.sources.subscriptions import export_opml, import_opml
from tests.contributing import toy_format
from tests.feeds.ingest.server import Server, reply, serve

pytestmark = pytest.mark.django_db
CHANGELOG = b"""# Changelog

## [1.1] - 2026-05-20
- Reads **changelogs** & shows 1 < 2.

## [1.0] - 2026-05-01
- The first release.
"""
PAGE = b"<!doctype html><html><head>%s</head><body>Hello</body></html>"
LINK = b"<link rel=alternate type='text/markdown; charset=utf-8' href='/project/changes'>"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    monkeypatch.setattr(formats, "FORMATS", (*formats.FORMATS, toy_format.FORMAT))
    monkeypatch.setattr(Sandbox, "call", call_in_this_process)
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]


def call_in_this_process(sandbox: Sandbox, function: str, body: bytes, **arguments: Any) -> Any:
    """A child process imports the real registry, where this test's format is not listed."""
    module, _, name = function.partition(":")
    return json.loads(json.dumps(getattr(import_module(module), name)(body, **arguments)))


@pytest.fixture
def site() -> Iterator[Server]:
    routes = {
        "/project/changes": reply(200, CHANGELOG, Content_Type="text/markdown"),
        "/linked": reply(200, PAGE % LINK),
        "/plain/": reply(200, PAGE % b""),
        "/plain/CHANGELOG.md": reply(200, CHANGELOG),
    }
    with serve(routes) as server:
        yield server


def titles() -> list[str]:
    return sorted(Item.objects.values_list("title", flat=True))


def test_it_is_recognised_and_read_and_the_others_are_as_before() -> None:
    feed = parse_feed(CHANGELOG, "text/markdown", "https://lab.example/changes")

    assert (feed.kind, feed.title) == ("changelog", "Changelog")
    assert [entry.title for entry in feed.entries] == ["Release 1.1", "Release 1.0"]
    assert parse_feed(b"<rss><channel><title>T</title></channel></rss>").kind == "rss"
    assert parse_feed(b'{"items": []}').kind == "json"
    with pytest.raises(FeedError, match="lists no releases"):
        parse_feed(b"# Changelog\n")


@pytest.mark.parametrize("path", ["/project/changes", "/linked", "/plain/"])
def test_discovery_finds_it_by_address_by_link_and_at_its_usual_place(
    site: Server, path: str
) -> None:
    (found,) = discover(site.url + path).candidates

    assert (found.kind, found.total) == ("changelog", 2)
    assert [entry.title for entry in found.entries] == ["Release 1.1", "Release 1.0"]
    accepted = site.requests[0][2]["accept"]
    assert "text/markdown;q=0.6" in accepted
    assert accepted.startswith("application/rss+xml, application/atom+xml")


def test_a_preview_shows_it(site: Server, reader: User) -> None:
    client = Client()
    client.force_login(reader)

    page = client.post("/sources/add/", {"url": site.url + "/project/changes"})

    assert "Release 1.1" in page.content.decode()


def test_polling_stores_its_entries_once(site: Server, reader: User) -> None:
    call_command("add_source", site.url + "/project/changes", user=reader.username)
    call_command("poll", "--all")
    call_command("poll", "--all")

    source = Source.objects.get()
    assert (source.kind, source.title, source.error) == ("changelog", "Changelog", "")
    assert titles() == ["Release 1.0", "Release 1.1"]
    body = Item.objects.get(title="Release 1.1").body
    assert "Reads **changelogs** & shows 1 < 2." in body.text


def test_an_opml_file_brings_it_and_takes_it_away(site: Server, reader: User) -> None:
    line = f'<outline xmlUrl="{site.url}/project/changes"/>'
    import_opml(reader, f"<opml><body>{line}</body></opml>".encode())
    call_command("poll", "--all")

    assert titles() == ["Release 1.0", "Release 1.1"]
    assert f'xmlUrl="{site.url}/project/changes"' in export_opml(reader).decode()
