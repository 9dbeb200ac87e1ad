"""Sockets of readers with a real session, and writers with a connection of their own."""

import threading
from collections.abc import Callable
from typing import TypeVar

from asgiref.sync import sync_to_async
from channels.routing import URLRouter
from channels.testing import WebsocketCommunicator
from django.conf import settings
from django.db import connection
from django.test import Client

from digests.web.routing import websocket_urlpatterns as digest_sockets
from feeds.web.live import queries
from feeds.web.live.routing import websocket_urlpatterns as news_sockets
from feeds.web.live.sign_in import ReaderSignIn

Result = TypeVar("Result")


def socket_of(browser: Client, path: str = "/ws/") -> WebsocketCommunicator:
    """A socket with the cookies of `browser`, through the sessions that pages use."""
    cookie = f"{settings.SESSION_COOKIE_NAME}={browser.cookies[settings.SESSION_COOKIE_NAME].value}"
    application = ReaderSignIn(URLRouter(news_sockets + digest_sockets))
    return WebsocketCommunicator(application, path, headers=[(b"cookie", cookie.encode())])


async def by_another_process(write: Callable[[], Result]) -> Result:
    """What `write` returns. By a connection of its own, as the worker has one."""

    def run() -> Result:
        try:
            return write()
        finally:
            connection.close()

    return await sync_to_async(run, thread_sensitive=False)()


def end_queries() -> None:
    """Wait until the threads of sockets run no query, and close their connections.

    A query of a socket that is gone would lock a table that the end of the test empties.
    """
    barrier = threading.Barrier(queries.THREADS)

    def end() -> None:
        barrier.wait(20)
        connection.close()

    for ended in [queries._threads.submit(end) for _ in range(queries.THREADS)]:
        ended.result(30)
