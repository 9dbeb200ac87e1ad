"""What a client may send over a socket, and what floods and failures cost the others."""

import asyncio
import json
import threading
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test import Client

from accounts.models import User
from feeds.models import Source
from feeds.web.live import messages
from feeds.web.live.messages import BURST, MAX_LENGTH, Throttle, read_message, read_seq
from feeds.web.live.queries import in_thread
from feeds.web.live.socket import BAD_DATA, TOO_BIG, TOO_MANY
from feeds.web.live.watch import Watcher
from tests.feeds.web.live.sockets import by_another_process, socket_of
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db(transaction=True)

NONSENSE = [
    "nonsense",
    "",
    "null",
    "[1]",
    '"seq"',
    '{"seq": "\\ud800"}',
    '{"\\udfff": 1}',
    '{"seq": true}',
    '{"seq": -1}',
    '{"seq": 1.5}',
    '{"seq": 1e999}',
    '{"seq": NaN}',
    '{"seq": ' + "9" * 900 + "}",
    '{"seq": null}',
    "[" * MAX_LENGTH,
    '{"a":' * (MAX_LENGTH // 5),
]


def sign_in() -> tuple[Client, Source]:
    user = make_user()
    browser = Client()
    browser.force_login(user)
    return browser, make_source(reader=user)


async def opened() -> tuple[WebsocketCommunicator, Source]:
    browser, source = await sync_to_async(sign_in)()
    socket = socket_of(browser)
    await socket.connect()
    await socket.receive_json_from(5)
    return socket, source


async def close_of(socket: WebsocketCommunicator) -> Any:
    sent = await socket.receive_output(5)
    while sent["type"] != "websocket.close":
        sent = await socket.receive_output(5)
    return sent["code"]


@pytest.mark.parametrize("text", NONSENSE)
def test_nonsense_is_no_message(text: str) -> None:
    assert len(text) <= MAX_LENGTH
    assert read_seq(read_message(text)) is None


def test_a_number_of_the_ledger_is_read() -> None:
    assert read_seq(read_message('{"seq": 0}')) == 0
    assert read_seq(read_message('{"seq": 7, "other": [1]}')) == 7
    assert read_seq(read_message(json.dumps({"seq": 2**62}))) is None


async def test_a_client_that_sent_nonsense_is_caught_up_all_the_same() -> None:
    socket, source = await opened()
    await sync_to_async(make_item)(source)
    for text in filter(None, NONSENSE):
        await socket.send_to(text_data=text)

    await socket.send_json_to({"seq": 0})

    assert (await socket.receive_json_from(5))["items"] == 1
    await socket.disconnect()


async def test_a_client_that_floods_its_socket_loses_it() -> None:
    socket, _ = await opened()
    for _ in range(BURST + 5):
        await socket.send_json_to({"seq": 0})

    assert await close_of(socket) == TOO_MANY


async def test_nonsense_counts_as_messages() -> None:
    socket, _ = await opened()
    for _ in range(BURST + 5):
        await socket.send_to(text_data="nonsense")

    assert await close_of(socket) == TOO_MANY


async def test_what_is_too_long_or_binary_ends_the_socket() -> None:
    socket, _ = await opened()
    await socket.send_to(text_data="x" * (MAX_LENGTH + 1))
    assert await close_of(socket) == TOO_BIG

    browser = await sync_to_async(lambda: Client())()
    await sync_to_async(browser.force_login)(await sync_to_async(User.objects.get)())
    socket = socket_of(browser)
    await socket.connect()
    await socket.send_to(bytes_data=b"\x00")
    assert await close_of(socket) == BAD_DATA


def test_the_allowance_comes_back_with_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(messages.time, "monotonic", lambda: now[0])
    throttle = Throttle()

    assert [throttle.allows() for _ in range(BURST + 1)] == [True] * BURST + [False]
    now[0] += 1
    assert [throttle.allows() for _ in range(2)] == [True, False]
    now[0] += 1_000
    assert sum(throttle.allows() for _ in range(BURST + 5)) == BURST


async def test_queries_of_several_readers_run_at_once() -> None:
    """Each waits for the other, which one thread for all cannot do."""
    both = threading.Barrier(2)

    await asyncio.gather(in_thread(both.wait, 5), in_thread(both.wait, 5))


def run_sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


async def test_a_socket_tells_news_after_the_database_failed() -> None:
    socket, source = await opened()
    await by_another_process(lambda: run_sql("ALTER TABLE feeds_subscription RENAME TO gone"))
    await socket.send_json_to({"seq": 0})
    assert await socket.receive_nothing(timeout=1.5)

    await by_another_process(lambda: run_sql("ALTER TABLE gone RENAME TO feeds_subscription"))
    await by_another_process(lambda: make_item(source))
    event = await socket.receive_json_from(timeout=15)

    assert (event["kind"], event["items"]) == ("new", 1)
    await socket.disconnect()


def test_a_watcher_that_failed_looks_for_what_came_meanwhile() -> None:
    watcher = Watcher()
    assert watcher._has_changed()
    assert not watcher._has_changed()
    make_item(make_source())

    watcher._reset_connection()

    assert watcher._has_changed()


@pytest.mark.skipif(connection.vendor != "sqlite", reason="other databases are asked directly")
def test_the_version_of_another_connection_says_nothing() -> None:
    watcher = Watcher()
    assert watcher._version_changed() and not watcher._version_changed()
    assert watcher._version is not None

    watcher._version = (object(), watcher._version[1])

    assert watcher._version_changed()
