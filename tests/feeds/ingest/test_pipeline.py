"""The ingest pipeline: polling, full texts and grouping."""

import pytest
from django.conf import LazySettings

from feeds.ingest.pipeline import ingest_sources
from feeds.models import Item, ItemBody, Source
from tests.feeds.ingest.server import reply, serve
from tests.make import make_source

pytestmark = pytest.mark.django_db
ARTICLE = (
    b"<html><head><title>A</title></head><body><nav>Menu</nav><article><h1>The whole story</h1>"
    + b"<p>This paragraph stands on the page alone and tells what happened at length.</p>" * 8
    + b"</article><footer>Imprint</footer></body></html>"
)


def feed(address: str) -> bytes:
    item = f"<item><title>Teaser</title><link>{address}/a</link><description>Short</description>"
    return f"<rss version='2.0'><channel><title>T</title>{item}</item></channel></rss>".encode()


@pytest.fixture(autouse=True)
def allow_loopback(settings: LazySettings) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]


def test_a_source_of_teasers_is_completed_from_its_pages_and_grouped() -> None:
    with serve({"/a": reply(200, ARTICLE, Content_Type="text/html")}) as server:
        server.routes["/"] = reply(200, feed(server.url))
        source = make_source(url=server.url + "/", full_text=True)
        report = ingest_sources([source.pk])
    assert report.new == 1
    body = ItemBody.objects.get()
    assert body.is_full_text
    assert "stands on the page alone" in body.text
    assert "Imprint" not in body.text
    assert Item.objects.get().story is not None


def test_a_page_that_fails_leaves_the_feeds_own_text() -> None:
    with serve({"/a": reply(500)}) as server:
        server.routes["/"] = reply(200, feed(server.url))
        source = make_source(url=server.url + "/", full_text=True)
        ingest_sources([source.pk])
    body = ItemBody.objects.get()
    assert (body.text, body.is_full_text) == ("Short", False)


def test_a_corrected_title_changes_the_headline_of_its_story() -> None:
    with serve({}) as server:
        server.routes["/"] = reply(200, feed(server.url))
        source = make_source(url=server.url + "/")
        ingest_sources([source.pk])
        Source.objects.update(last_full_fetch_at=None)
        server.routes["/"] = reply(200, feed(server.url).replace(b"Teaser", b"Corrected"))
        assert ingest_sources([source.pk]).updated == 1
    item = Item.objects.select_related("story").get()
    assert item.story is not None
    assert item.story.title == "Corrected"
