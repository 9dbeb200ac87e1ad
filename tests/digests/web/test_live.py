"""The socket that says how far the writing of an edition is."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.contrib.auth.models import AnonymousUser
from django.utils import timezone

from accounts.models import User
from digests.models import Writing
from digests.web.routing import websocket_urlpatterns
from tests.feeds.web.live.sockets import end_queries
from tests.make import make_user

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _no_query_outlives_its_test(transactional_db: None) -> Iterator[None]:
    yield
    end_queries()


def socket_of(user: User | AnonymousUser, is_global: bool = False) -> WebsocketCommunicator:
    path = "/ws/digest/global/" if is_global else "/ws/digest/"
    socket = WebsocketCommunicator(URLRouter(websocket_urlpatterns), path)
    socket.scope["user"] = user
    return socket


def write_row(user: User | None, **fields: object) -> None:
    now = timezone.now()
    row = {"next_try_at": now, "until": now + timedelta(minutes=5)} | fields
    Writing.objects.update_or_create(user=user, date=now.date(), defaults=row)


async def test_nobody_is_told_without_signing_in() -> None:
    assert await socket_of(AnonymousUser()).connect() == (False, 4401)


async def test_each_step_is_told_until_it_is_written() -> None:
    user, other = await sync_to_async(make_user)(), await sync_to_async(make_user)("other")
    await sync_to_async(write_row)(other, done=5, total=9)
    await sync_to_async(write_row)(user)
    socket = socket_of(user)

    await socket.connect()
    choosing = await socket.receive_json_from(5)
    await socket.send_to(text_data="nonsense")
    await sync_to_async(write_row)(user, done=2, total=7)
    third = await socket.receive_json_from(5)
    await sync_to_async(Writing.objects.filter(user=user).delete)()
    last = await socket.receive_json_from(5)
    closed = await socket.receive_output(5)

    assert choosing["text"] == "Choosing stories…"
    assert (third["done"], third["total"]) == (2, 7)
    assert third["text"] == "Writing story 3 of 7…"
    assert last == {"kind": "written", "is_global": False}
    assert closed["type"] == "websocket.close"


async def test_a_failure_is_told_in_words() -> None:
    user = await sync_to_async(make_user)()
    await sync_to_async(write_row)(user, error="It failed.", until=None)
    socket = socket_of(user)

    await socket.connect()
    event = await socket.receive_json_from(5)
    await socket.disconnect()

    assert event["kind"] == "failed"
    assert event["text"].startswith("It failed. Next attempt at ")


async def test_each_page_is_told_of_its_own_edition_alone() -> None:
    user = await sync_to_async(make_user)()
    await sync_to_async(write_row)(None, done=2, total=7)
    own, everyones = socket_of(user), socket_of(user, is_global=True)

    await own.connect()
    await everyones.connect()
    of_own, of_everyone = await own.receive_json_from(5), await everyones.receive_json_from(5)
    await everyones.disconnect()

    assert of_own == {"kind": "written", "is_global": False}
    assert (of_everyone["kind"], of_everyone["is_global"]) == ("writing", True)
    assert of_everyone["text"] == "Writing story 3 of 7…"
