"""One hub finds the news of all open sockets, and no socket delays another."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from accounts.models import User
from feeds.models import Source, Subscription
from feeds.reading.marks import mark_all_read, set_state
from feeds.web.live import hub as hub_module
from feeds.web.live import socket as socket_module
from feeds.web.live.consumer import LiveConsumer
from feeds.web.live.news import NewsDesk
from feeds.web.live.outbox import MOST, Outbox
from feeds.web.live.sign_in import find_readers
from feeds.web.live.socket import STALLED
from tests.feeds.web.live.sockets import by_another_process
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db(transaction=True)


async def opened(user: User, seq: int | None = None) -> WebsocketCommunicator:
    """A socket that was greeted, whose client has seen everything up to `seq`."""
    socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/")
    socket.scope["user"] = user
    await socket.connect()
    hello = await socket.receive_json_from(5)
    assert hello["kind"] == "hello"
    await socket.send_json_to({"seq": hello["seq"] if seq is None else seq})
    return socket


def readers_of(source: Source, count: int) -> list[User]:
    users = [make_user(f"reader{number}") for number in range(count)]
    Subscription.objects.bulk_create(Subscription(user=user, source=source) for user in users)
    return users


async def closed(*sockets: WebsocketCommunicator) -> None:
    for socket in sockets:
        await socket.disconnect()


async def test_news_reach_all_by_one_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    source = await sync_to_async(make_source)()
    users = await sync_to_async(readers_of)(source, 20)
    sockets = [await opened(user) for user in users]
    passes: list[int] = []
    real = NewsDesk.news_of

    def counted(desk: NewsDesk, seqs: Any) -> Any:
        passes.append(len(seqs))
        return real(desk, seqs)

    await asyncio.sleep(0.5)
    monkeypatch.setattr(NewsDesk, "news_of", counted)
    item = await by_another_process(lambda: make_item(source))
    events = [await socket.receive_json_from(5) for socket in sockets]

    assert {(event["kind"], event["seq"], event["items"]) for event in events} == {
        ("new", item.seq, 1)
    }
    assert passes == [20]
    await closed(*sockets)


async def test_a_burst_of_events_becomes_a_few_messages() -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    socket = await opened(user)
    await asyncio.sleep(0.5)

    for _ in range(20):
        await by_another_process(lambda: make_item(source))
        hub_module.hub.see_news()
    events = [await socket.receive_json_from(5)]
    while events[-1]["items"] < 20:
        events.append(await socket.receive_json_from(5))

    assert len(events) < 8
    await closed(socket)


async def test_arrivals_at_others_send_a_reader_nothing() -> None:
    """Not even the same counts again, which would show when a private source has news."""
    user, other = await sync_to_async(make_user)(), await sync_to_async(make_user)("other")
    mine = await sync_to_async(make_source)("mine", reader=user)
    theirs = await sync_to_async(make_source)("theirs", reader=other, is_public=False)
    await sync_to_async(make_item)(mine)
    socket, their_socket = await opened(user, seq=0), await opened(other)
    assert (await socket.receive_json_from(5))["items"] == 1

    await by_another_process(lambda: make_item(theirs))

    assert (await their_socket.receive_json_from(5))["items"] == 1
    assert await socket.receive_nothing(timeout=1)
    await closed(socket, their_socket)


def unread_in(event: dict[str, Any]) -> object:
    assert event["kind"] == "counts"
    return event["unread"]


async def test_the_other_pages_of_a_reader_learn_what_was_read() -> None:
    user, other = await sync_to_async(make_user)(), await sync_to_async(make_user)("other")
    source = await sync_to_async(make_source)(reader=user)
    items = [await sync_to_async(make_item)(source) for _ in range(3)]
    first, second, stranger = await opened(user), await opened(user), await opened(other)

    await by_another_process(lambda: set_state(user, [items[0].pk], read=True))
    for socket in (first, second):
        assert unread_in(await socket.receive_json_from(5)) == 2
    await by_another_process(lambda: mark_all_read(user, None, items[-1].seq))
    for socket in (first, second):
        assert unread_in(await socket.receive_json_from(5)) == 0

    assert await stranger.receive_nothing(timeout=1)
    await closed(first, second, stranger)


async def test_many_acts_at_once_become_one_message() -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    items = [await sync_to_async(make_item)(source) for _ in range(10)]
    socket = await opened(user)
    await asyncio.sleep(1.2)

    def act() -> None:
        for item in items:
            set_state(user, [item.pk], read=True)

    await by_another_process(act)
    events = [await socket.receive_json_from(5)]
    while events[-1]["unread"]:
        events.append(await socket.receive_json_from(5))

    assert len(events) <= 2
    await closed(socket)


async def test_a_page_forgets_news_that_were_hidden_on_another() -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    socket = await opened(user)
    item = await by_another_process(lambda: make_item(source))
    assert (await socket.receive_json_from(5))["items"] == 1

    await by_another_process(lambda: set_state(user, [item.pk], hidden=True))
    events = [await socket.receive_json_from(5) for _ in range(2)]

    assert {event["kind"]: event.get("items", event.get("unread")) for event in events} == {
        "new": 0,
        "counts": 0,
    }
    await closed(socket)


class StalledConsumer(LiveConsumer):
    """A socket whose client reads the greeting alone."""

    async def send(self, *args: Any, **kwargs: Any) -> None:
        if "hello" not in kwargs["text_data"]:
            await asyncio.Event().wait()
        await super().send(*args, **kwargs)


async def test_a_client_that_does_not_read_delays_nobody_and_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(socket_module, "SEND_SECONDS", 2.0)
    source = await sync_to_async(make_source)()
    first, second = await sync_to_async(readers_of)(source, 2)
    stalled = WebsocketCommunicator(StalledConsumer.as_asgi(), "/ws/")
    stalled.scope["user"] = first
    await stalled.connect()
    assert (await stalled.receive_json_from(5))["kind"] == "hello"
    reading = await opened(second)

    for number in range(1, 4):
        await by_another_process(lambda: make_item(source))
        assert (await reading.receive_json_from(5))["items"] == number

    closing = await stalled.receive_output(5)
    assert (closing["type"], closing["code"]) == ("websocket.close", STALLED)
    await closed(reading)


async def test_an_outbox_holds_the_newest_of_each_kind_up_to_a_limit() -> None:
    outbox = Outbox()
    for number in range(1_000):
        assert outbox.put("new", f"new {number}") and outbox.put("counts", f"counts {number}")
    for number in range(2, MOST):
        assert outbox.put(("trend", number), "trend")

    assert not outbox.put(("trend", 0), "trend")
    assert [await outbox.get() for _ in range(2)] == ["new 999", "counts 999"]
    assert outbox.put(("trend", 0), "trend")


async def test_a_process_opens_sockets_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "MAX_OPEN", 1)
    user = await sync_to_async(make_user)()
    socket = await opened(user)
    second = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/")
    second.scope["user"] = user

    assert await second.connect() == (False, socket_module.TRY_LATER)

    await closed(socket)


def signed_in(name: str) -> tuple[User, str]:
    user, browser = make_user(name), Client()
    browser.force_login(user)
    return user, browser.cookies["sessionid"].value


def test_readers_of_many_sessions_are_found_by_two_queries() -> None:
    pairs = [signed_in(f"reader{number}") for number in range(10)]
    inactive, key_of_inactive = signed_in("inactive")
    User.objects.filter(pk=inactive.pk).update(is_active=False)
    changed, key_of_changed = signed_in("changed")
    changed.set_password("a new one")
    changed.save()

    keys = [key for _, key in pairs]
    with CaptureQueriesContext(connection) as queries:
        found = find_readers([*keys, key_of_inactive, key_of_changed, "unknown"])

    assert found == {key: user for user, key in pairs}
    assert len(queries) == 2


async def until(is_so: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await is_so():
            await asyncio.sleep(0.05)


async def test_nothing_is_held_of_readers_who_left() -> None:
    user = await sync_to_async(make_user)()
    await sync_to_async(make_source)(reader=user)
    await closed(await opened(user), await opened(user))

    hub = hub_module.hub
    assert not hub._listeners and not hub._versions and not hub.desk._readers
    task = hub._task

    async def is_over() -> bool:
        return task is not None and task.done()

    await until(is_over)
