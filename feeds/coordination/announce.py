"""The worker tells the web processes that something came, where there is a Redis to tell by."""

import asyncio
import threading

from channels.layers import get_channel_layer
from django.conf import settings

from ainews_site.infra.cache import circuit

GROUP = "news"
EVENT = {"type": "news.came"}
"""What came they ask the database for: an event that is lost, or comes twice, does no harm."""
LONGEST = 2.0

_telling: threading.Thread | None = None


def announce_news() -> None:
    """After the commit. In a thread: the worker waits for no Redis and hears of no failure."""
    global _telling
    if settings.REDIS_URL:
        _telling = threading.Thread(target=_tell, daemon=True)
        _telling.start()


def wait_until_told() -> None:
    """For a process that ends now, and its threads with it."""
    if _telling is not None:
        _telling.join(LONGEST)


def _tell() -> None:
    if circuit.problem_now():
        return
    try:
        asyncio.run(asyncio.wait_for(_send(), LONGEST))
    except Exception as error:  # noqa: BLE001 - the watchers ask by themselves a little later
        circuit.lose(error)


async def _send() -> None:
    await get_channel_layer().group_send(GROUP, EVENT)
