"""Discovery of feeds, with real servers."""

import pytest

from feeds.core.errors import FeedError, FetchError
from feeds.ingest.fetch.client import Limits
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fetch.types import FetchResult
from feeds.sources.discover import common_addresses, complete_address, discover
from tests.feeds.ingest.server import redirect, reply, serve

LIMITS = Limits(guard=Guard.of(["127.0.0.1"]), timeout=3)
ITEM = (
    "<item><title>N {0}</title><link>/n/{0}</link>"
    "<pubDate>Thu, {0:02d} May 2026 10:00:00 GMT</pubDate></item>"
)


def rss(title: str, items: int = 8) -> bytes:
    entries = "".join(ITEM.format(number + 1) for number in range(items))
    return f"<rss version='2.0'><channel><title>{title}</title>{entries}</channel></rss>".encode()


def page(*links: str) -> bytes:
    heads = "".join(
        f"<link rel=alternate type=application/rss+xml href='{link}'>" for link in links
    )
    return f"<!doctype html><html><head>{heads}</head><body>Hello</body></html>".encode()


def test_a_feed_is_found_at_its_own_address_with_its_five_newest_entries() -> None:
    with serve({"/feed": reply(200, rss("Lab"))}) as server:
        found = discover(server.url + "/feed", LIMITS)

        (feed,) = found.candidates
        assert (feed.url, feed.title, feed.kind, feed.total) == (
            server.url + "/feed",
            "Lab",
            "rss",
            8,
        )
        assert [entry.title for entry in feed.entries] == [f"N {n}" for n in (8, 7, 6, 5, 4)]
        assert feed.entries[0].url == server.url + "/n/8"


def test_all_feeds_that_a_page_names_are_shown_in_its_order() -> None:
    routes = {
        "/": reply(200, page("/news.rss", "/gone.rss", "papers.rss")),
        "/news.rss": reply(200, rss("News")),
        "/papers.rss": reply(200, rss("Papers")),
    }
    with serve(routes) as server:
        found = discover(server.url, LIMITS)

    assert [feed.title for feed in found.candidates] == ["News", "Papers"]


def test_a_page_that_names_no_feed_is_searched_at_common_addresses() -> None:
    with serve({"/blog/": reply(200, page()), "/feed.xml": reply(200, rss("Root"))}) as server:
        found = discover(server.url + "/blog/", LIMITS)

    assert [feed.title for feed in found.candidates] == ["Root"]


def test_a_page_without_any_feed_says_so() -> None:
    with serve({"/": reply(200, page())}) as server, pytest.raises(FeedError) as caught:
        discover(server.url, LIMITS)

    assert "web page, not a feed" in str(caught.value)
    assert "usual places" in str(caught.value)


def test_a_permanent_redirect_gives_the_new_address() -> None:
    with serve({"/old": redirect("/new"), "/new": reply(200, rss("Lab"))}) as server:
        found = discover(server.url + "/old", LIMITS)

        assert found.candidates[0].url == server.url + "/new"


def test_a_page_cannot_name_a_feed_within_the_private_network() -> None:
    with serve({"/": reply(200, rss("Secret"))}) as inner:
        with serve({"/": reply(200, page(inner.url + "/"))}) as outer:
            guard = Guard.of([f"127.0.0.1:{outer.server_port}"], [inner.server_port])
            with pytest.raises(FeedError):
                discover(outer.url, Limits(guard=guard, timeout=3))

        assert inner.requests == []


def test_a_failed_fetch_is_reported_with_its_message() -> None:
    with serve({"/": reply(500)}) as server, pytest.raises(FetchError, match=r"error \(500\)"):
        discover(server.url, LIMITS)


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("lab.example", "https://lab.example/"),
        (" feed://lab.example/rss ", "https://lab.example/rss"),
        ("feed:https://lab.example/rss", "https://lab.example/rss"),
        ("HTTP://Lab.example:80/Rss?utm_source=x", "http://lab.example/Rss"),
    ],
)
def test_what_a_reader_types_becomes_an_address(typed: str, address: str) -> None:
    assert complete_address(typed) == address


def test_a_site_without_https_is_found_by_an_address_without_a_scheme() -> None:
    with serve({"/feed": reply(200, rss("Lab"))}) as server:
        found = discover(server.url.removeprefix("http://") + "/feed", LIMITS)

        assert [feed.url for feed in found.candidates] == [server.url + "/feed"]
        with pytest.raises(FeedError, match="TLS"):
            discover(server.url.replace("http://", "https://") + "/feed", LIMITS)


def test_an_invalid_certificate_is_not_avoided_by_http(monkeypatch: pytest.MonkeyPatch) -> None:
    fetched: list[str] = []

    def fetch(url: str, limits: Limits) -> FetchResult:
        fetched.append(url)
        return FetchResult(0, url, url, 0, error="Invalid.", unreachable=True, untrusted=True)

    monkeypatch.setattr("feeds.sources.discover.fetch_one", fetch)

    with pytest.raises(FetchError, match="Invalid"):
        discover("lab.example/feed", LIMITS)
    assert fetched == ["https://lab.example/feed"]


def test_an_error_quotes_what_the_reader_typed() -> None:
    with pytest.raises(FetchError, match=r"^'not a url at all' is not a web address"):
        complete_address(" not a url at all ")


@pytest.mark.parametrize("typed", ["", "http://", "ftp://x/", "javascript://alert(1)", "http://["])
def test_an_invalid_address_is_refused_with_a_clear_message(typed: str) -> None:
    with pytest.raises(FetchError, match="not a web address"):
        complete_address(typed)


def test_common_addresses_start_beside_the_page() -> None:
    found = common_addresses("https://lab.example/blog/post.html?x=1")

    assert found[0] == "https://lab.example/blog/feed"
    assert "https://lab.example/feed" in found
