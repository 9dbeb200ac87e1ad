"""Notifies the web processes through Redis, if it is configured, that there are new items."""

import asyncio
import threading

from channels.layers import get_channel_layer
from django.conf import settings

from ainews_site.infra.cache import circuit

GROUP = "news"
EVENT = {"type": "news.came"}
"""The event carries no data: web processes query the database, so a lost or repeated event is
harmless."""
TIMEOUT = 2.0

_thread: threading.Thread | None = None


def announce_news() -> None:
    """Send the event in a thread, so that the worker never waits for Redis. Call after commit."""
    global _thread
    if settings.REDIS_URL:
        _thread = threading.Thread(target=_notify, daemon=True)
        _thread.start()


def wait_until_announced() -> None:
    """Wait until the event is sent. Call it before the process exits."""
    if _thread is not None:
        _thread.join(TIMEOUT)


def _notify() -> None:
    if circuit.current_problem():
        return
    try:
        asyncio.run(asyncio.wait_for(_send(), TIMEOUT))
    except Exception as error:  # noqa: BLE001 - web processes also poll the database
        circuit.open(error)


async def _send() -> None:
    await get_channel_layer().group_send(GROUP, EVENT)
