"""Editions as Atom, at an address that is secret and can be changed."""

import xml.etree.ElementTree as ET
from datetime import timedelta

import pytest
from django.test import Client

from accounts.models import User
from digests.channels.links import FEED, token_for
from digests.models import Channel, Digest
from feeds.ingest.parse.feed import parse_feed
from tests.digests.make import make_channel, make_edition

pytestmark = pytest.mark.django_db
ATOM = "{http://www.w3.org/2005/Atom}"


def address(channel: Channel) -> str:
    return f"/digest/feed/{token_for(channel, FEED)}.atom"


def test_a_feed_has_what_atom_asks_for(reader: User, client: Client) -> None:
    channel = make_channel(reader, "feed")
    digest = make_edition(reader, "A lab <publishes> & \x0b more")

    answer = client.get(address(channel))

    feed = ET.fromstring(answer.content)
    assert answer.headers["Content-Type"].startswith("application/atom+xml")
    for name in ("id", "title", "updated", "author"):
        assert feed.find(ATOM + name) is not None
    links = {link.get("rel"): link.get("href") for link in feed.findall(ATOM + "link")}
    assert links["self"] == "http://testserver" + address(channel)
    entry = feed.find(ATOM + "entry")
    assert entry is not None
    assert entry.findtext(ATOM + "id", "").startswith("urn:uuid:")
    assert entry.find(ATOM + "link").get("href") == f"http://testserver/digest/{digest.date}/"  # type: ignore[union-attr]
    content = entry.find(ATOM + "content")
    assert content is not None and content.get("type") == "html"
    assert "A lab &lt;publishes&gt;" in (content.text or "")
    assert "http://testserver/story/" in (content.text or "")


def test_our_own_parser_reads_it(reader: User, client: Client) -> None:
    channel = make_channel(reader, "feed")
    make_edition(reader, "A lab publishes a model")

    parsed = parse_feed(client.get(address(channel)).content)

    assert "A lab publishes a model" in parsed.entries[0].title


def test_nothing_is_sent_again_until_there_is_a_new_edition(reader: User, client: Client) -> None:
    channel = make_channel(reader, "feed")
    make_edition(reader, "First")
    tag = client.get(address(channel)).headers["ETag"]

    again = client.get(address(channel), headers={"If-None-Match": tag})
    make_edition(reader, "Second")
    changed = client.get(address(channel), headers={"If-None-Match": tag})

    assert (again.status_code, again.content) == (304, b"")
    assert changed.status_code == 200


def test_a_new_address_ends_the_old_one(reader: User, client: Client) -> None:
    channel = make_channel(reader, "feed")
    old = address(channel)
    client.force_login(reader)

    client.post(f"/digest/delivery/{channel.pk}/", {"action": "renew"})
    channel.refresh_from_db()

    assert client.get(old).status_code == 404
    assert Client().get(address(channel)).status_code == 200


def test_a_feed_that_was_switched_off_or_whose_reader_left_is_gone(
    reader: User, client: Client
) -> None:
    channel = make_channel(reader, "feed")
    Channel.objects.update(state=Channel.State.DISABLED)
    assert client.get(address(channel)).status_code == 404

    Channel.objects.update(state=Channel.State.ACTIVE)
    User.objects.update(is_active=False)
    assert client.get(address(channel)).status_code == 404


def test_each_feed_has_its_own_editions(reader: User, client: Client) -> None:
    make_edition(reader, "For me")
    make_edition(None, "For all")

    own = client.get(address(make_channel(reader, "feed"))).content.decode()
    everyone = client.get(address(make_channel(reader, "feed", is_global=True))).content.decode()

    assert "For me" in own and "For all" not in own
    assert "For all" in everyone and "For me" not in everyone


def test_the_number_of_queries_does_not_grow_with_the_editions(
    reader: User, client: Client, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    channel = make_channel(reader, "feed")
    digest = make_edition(reader)
    for days in range(1, 30):
        day = digest.date - timedelta(days=days)
        Digest.objects.create(user=reader, date=day, content=digest.content)

    with django_assert_num_queries(3):  # type: ignore[operator]
        answer = client.get(address(channel))

    assert len(ET.fromstring(answer.content).findall(ATOM + "entry")) == 20
