"""A channel is one module and one line in `KINDS`."""

from collections.abc import Iterator

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.models import ApiToken, User
from digests import channels
from digests.models import Channel, Delivery
from digests.tasks import deliver_digests, write_due_digests
from tests.contributing import toy_channel
from tests.digests.make import TEXT, make_channel, make_reader
from tests.digests.receivers import Webhook, reply, webhook
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db
PAGE = "/digest/delivery/"
API = "/api/v1/digest/channels/"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch, settings: LazySettings) -> None:
    monkeypatch.setattr(channels, "KINDS", (*channels.KINDS, toy_channel.KIND))
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]


@pytest.fixture
def gateway() -> Iterator[Webhook]:
    """Is out of order once, and then pages."""
    with webhook(reply(503), reply(200)) as server:
        yield server


@pytest.fixture
def reader() -> User:
    reader = make_reader()
    make_story(make_item(make_source("one", reader=reader), text=TEXT))
    return reader


def address_of(gateway: Webhook) -> str:
    return gateway.url.replace("/hook/secret1234", "/secret/page")


def test_the_form_offers_it_and_checks_its_address(page: Client, gateway: Webhook) -> None:
    shown = page.get(PAGE).content.decode()
    assert '<option value="pager">Pager</option>' in shown
    assert toy_channel.Pager.target_help in shown

    sent = {"kind": "pager", "which": "own", "target": "https://pager.example/other"}
    refused = page.post(PAGE, sent)
    assert refused.status_code == 422
    assert "Enter an address that ends in /page." in refused.content.decode()

    assert page.post(PAGE, sent | {"target": address_of(gateway)}).status_code == 302
    assert Channel.objects.get().kind == "pager"


def test_the_page_shows_and_tests_it(page: Client, reader: User, gateway: Webhook) -> None:
    gateway.answers = [reply(200)]
    channel = make_channel(reader, "pager", address_of(gateway))

    shown = page.get(PAGE).content.decode()
    assert "<strong>Pager</strong>" in shown
    assert "/…page" in shown and "secret" not in shown

    page.post(f"{PAGE}{channel.pk}/", {"action": "test"})
    assert "A test from AI News" in gateway.taken[0].json["page"]


def test_editions_are_delivered_and_retried(reader: User, gateway: Webhook) -> None:
    make_channel(reader, "pager", address_of(gateway))

    write_due_digests()
    delivery = Delivery.objects.get()
    assert (delivery.state, delivery.attempts) == ("waiting", 1)
    assert delivery.error == "The service reported an error (503)."
    Delivery.objects.update(next_try_at=timezone.now())
    assert deliver_digests() == 1

    assert "A lab publishes a model" in gateway.taken[1].json["page"]
    assert len(gateway.taken) == 2


def test_the_api_lists_and_adds_it(reader: User, gateway: Webhook) -> None:
    api = Client(headers={"authorization": f"Bearer {ApiToken.issue(reader, 'test')}"})
    kinds = api.get(API).json()["kinds"]
    assert {"name": "pager", "label": "Pager", "takes_target": True, "problem": ""} in kinds

    sent = {"kind": "pager", "target": address_of(gateway)}
    added = api.post(API, sent, content_type="application/json")
    assert added.status_code == 201
    write_due_digests()

    listed = api.get(API).json()["results"]
    assert [(one["label"], one["state"]) for one in listed] == [("Pager", "active")]
    assert listed[0]["last_delivery"]["state"] == "waiting"
    assert listed[0]["last_delivery"]["error"] == "The service reported an error (503)."


def test_channels_of_a_kind_that_was_taken_out_are_shown_and_end(
    page: Client, reader: User, gateway: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = make_channel(reader, "pager", address_of(gateway))
    write_due_digests()
    monkeypatch.setattr(channels, "KINDS", channels.KINDS[:-1])
    Delivery.objects.update(state="waiting", next_try_at=timezone.now())

    assert deliver_digests() == 0

    channel.refresh_from_db()
    assert (channel.state, len(gateway.taken)) == (Channel.State.DISABLED, 1)
    assert "This kind of channel is no longer available." in page.get(PAGE).content.decode()
