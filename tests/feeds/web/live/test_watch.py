"""The watcher with a real Redis: woken by the worker's events, and without it all the same."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator

import pytest
import redis.asyncio  # before a thread imports parts of it
from asgiref.sync import sync_to_async
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection
from django.test import override_settings

from accounts.models import User
from ainews_site.infra import cache as guarded
from ainews_site.infra.cache import circuit
from feeds.coordination import announce
from feeds.coordination.announce import announce_news
from feeds.models import Source
from feeds.web.live import watch
from feeds.web.live.consumer import LiveConsumer
from tests.feeds.web.live.sockets import by_another_process
from tests.make import make_item, make_source, make_user
from tests.services import Redis, missing

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif("redis-server" in missing(), reason="needs redis-server"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Redis]:
    """A Redis of its own, which may be killed; nobody asks the database by himself."""
    monkeypatch.setattr(watch, "SAFETY", 60.0)
    monkeypatch.setattr(watch, "RETRY", 0.3)
    monkeypatch.setattr(guarded, "PAUSE", 0.2)
    with Redis() as server:
        cache = {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": server.url}
        layer = {
            "BACKEND": "channels_redis.core.RedisChannelLayer",
            "CONFIG": {"hosts": [server.url]},
        }
        with override_settings(
            REDIS_URL=server.url,
            CACHES=settings.CACHES | {"default": cache},
            CHANNEL_LAYERS={"default": layer},
        ):
            circuit.problem = ""
            yield server
            circuit.problem = ""


async def listening(user: User) -> WebsocketCommunicator:
    socket = WebsocketCommunicator(LiveConsumer.as_asgi(), "/ws/")
    socket.scope["user"] = user
    await socket.connect()
    assert (await socket.receive_json_from())["kind"] == "hello"
    return socket


async def until(is_so: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not await is_so():
        assert time.monotonic() < end, "it did not come about"
        await asyncio.sleep(0.05)


async def hears(server: Redis) -> None:
    """Until the watcher is in the group, and waits for an event."""
    client = redis.asyncio.from_url(server.url)

    async def is_there() -> bool:
        waiting = await client.client_list()
        return bool(await client.keys("*group*")) and any(
            one["cmd"] == "bzpopmin" for one in waiting
        )

    await until(is_there)
    await client.aclose()


async def come(source: Source) -> int:
    return await by_another_process(lambda: int(make_item(source).seq))


async def test_the_event_of_a_worker_wakes_the_watcher(server: Redis) -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    socket = await listening(user)
    await hears(server)
    seq = await come(source)
    await asyncio.sleep(1.5)
    assert await socket.receive_nothing()  # as nobody polls

    await sync_to_async(announce_news)()
    event = await socket.receive_json_from(timeout=20)

    event.pop("more", None)  # PostgreSQL's sequence may have come far in other tests
    assert event == {"kind": "new", "seq": seq, "items": 1, "stories": 1}
    await socket.disconnect()


async def test_without_redis_it_asks_the_database_and_listens_again_when_it_is_back(
    server: Redis,
) -> None:
    user = await sync_to_async(make_user)()
    source = await sync_to_async(make_source)(reader=user)
    socket = await listening(user)
    await hears(server)

    server.kill()
    await sync_to_async(announce_news)()  # neither fails nor waits
    first = await come(source)
    event = await socket.receive_json_from(timeout=20)
    assert (event["seq"], event["items"]) == (first, 1)
    await socket.send_json_to({"seq": first})

    server.start()
    await hears(server)
    second = await come(source)
    await sync_to_async(announce_news)()
    event = await socket.receive_json_from(timeout=20)

    assert (event["seq"], event["items"]) == (second, 1)
    assert await socket.receive_nothing()
    await socket.disconnect()


def test_telling_delays_no_worker(server: Redis) -> None:
    import signal

    assert server.process
    server.process.send_signal(signal.SIGSTOP)
    started = time.monotonic()
    announce_news()
    assert time.monotonic() - started < 0.45  # a socket of Redis times out after 0.5 s
    announce.wait_until_announced()
    assert time.monotonic() - started < 4
    server.process.send_signal(signal.SIGCONT)


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has no connection to lose")
async def test_a_connection_that_broke_is_given_up() -> None:
    watcher = watch.Watcher()

    def breaks() -> bool:
        connection.ensure_connection()
        connection.connection.close()
        return watcher._has_grown()

    calls: list[bool] = []
    with watcher.listen(lambda: calls.append(True)):
        watcher._task.cancel()  # we look ourselves
        await watcher._notify_if(breaks)
        await watcher._notify_if(lambda: watcher._has_grown() or True)
        await sync_to_async(watcher._reset_connection)()

    assert calls
