"""Notifies the web processes through Redis, if configured, that the worker stored new items."""

import asyncio
import threading

from channels.layers import get_channel_layer
from django.conf import settings

from ainews_site.infra.cache import circuit

GROUP = "news"
EVENT = {"type": "news.came"}
"""The event carries no data: web processes query the database, so a lost or repeated event is
harmless."""
LONGEST = 2.0

_telling: threading.Thread | None = None


def announce_news() -> None:
    """Send the event in a thread, so that the worker never waits for Redis. Call after commit."""
    global _telling
    if settings.REDIS_URL:
        _telling = threading.Thread(target=_tell, daemon=True)
        _telling.start()


def wait_until_told() -> None:
    """Wait for the event that is being sent, for a process that is about to exit."""
    if _telling is not None:
        _telling.join(LONGEST)


def _tell() -> None:
    if circuit.current_problem():
        return
    try:
        asyncio.run(asyncio.wait_for(_send(), LONGEST))
    except Exception as error:  # noqa: BLE001 - web processes also poll the database
        circuit.open(error)


async def _send() -> None:
    await get_channel_layer().group_send(GROUP, EVENT)
