"""The watcher of a web process: detects new items and alerts.

With Redis, events of the worker wake it. Without Redis, or while it is down, the watcher polls the
database every half second. On SQLite it polls `PRAGMA data_version`, which changes when another
process commits and needs no disk access, and queries the ledger only then. News are counted from
the seq that a client has seen, so extra or missing wake-ups neither repeat nor lose items.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any
from uuid import uuid4

from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.conf import settings
from django.db import Error, connection

from ainews_site.infra.cache import circuit
from feeds.coordination.announce import GROUP
from feeds.coordination.revisions import latest_seq
from feeds.trends.alerts import latest_alert
from feeds.web.live.queries import release_connection

PAUSE = 0.5
"""Seconds between two queries without Redis."""
SAFETY = 15.0
"""Seconds after which the ledger is queried without an event, which a restart of Redis may lose."""
RETRY = 5.0
"""Seconds before it connects to Redis again after a failure."""

logger = logging.getLogger(__name__)


class Watcher:
    """Calls all listeners when there are new items or alerts."""

    def __init__(self) -> None:
        self._listeners: set[Callable[[], None]] = set()
        self._task: asyncio.Task[None] | None = None
        self._version: tuple[object, int] | None = None
        self._seen = (-1, -1)

    @contextmanager
    def listen(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener` at each change. Watching ends with the last listener."""
        self._listeners.add(listener)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield
        finally:
            self._listeners.discard(listener)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        retry_at = 0.0
        while True:
            if settings.REDIS_URL and time.monotonic() >= retry_at:
                if not await sync_to_async(circuit.current_problem)():
                    await self._listen_to_redis()
                retry_at = time.monotonic() + RETRY
            await self._notify_if(self._has_changed)
            await asyncio.sleep(PAUSE)

    async def _listen_to_redis(self) -> None:
        """Check at each event of the worker, until Redis fails."""
        layer, channel = get_channel_layer(), f"watcher.{uuid4().hex}"
        receiving: asyncio.Task[Any] | None = None
        try:
            while not circuit.problem:
                # Subscribe each time, because a restarted Redis has lost the subscription.
                await layer.group_add(GROUP, channel)
                await self._notify_if(self._has_grown)
                receiving = receiving or asyncio.create_task(layer.receive(channel))
                await asyncio.wait({receiving}, timeout=SAFETY)
                if receiving.done():
                    receiving.result()
                    receiving = None
        except Exception as error:  # noqa: BLE001 - after any error the database is polled
            logger.info("live_events_lost reason=%s", error)
        finally:
            await self._stop_listening(layer, channel, receiving)

    async def _stop_listening(self, layer: Any, channel: str, receiving: Any) -> None:
        if receiving is not None:
            receiving.cancel()
            await asyncio.gather(receiving, return_exceptions=True)
        with suppress(Exception):  # otherwise the subscription expires by itself
            await asyncio.wait_for(layer.group_discard(GROUP, channel), PAUSE)

    async def _notify_if(self, is_new: Callable[[], bool]) -> None:
        try:
            if await sync_to_async(self._ask)(is_new):
                for listener in self._listeners:
                    listener()
        except Error:  # the connection is broken even if the database comes back
            await sync_to_async(self._reset_connection)()
        except Exception:  # the task must go on
            logger.exception("live_look_failed")

    def _ask(self, is_new: Callable[[], bool]) -> bool:
        try:
            return is_new()
        finally:
            release_connection()

    def _reset_connection(self) -> None:
        self._version = None  # so that the next try queries the ledger
        connection.close()  # the connection of this thread

    def _has_changed(self) -> bool:
        is_still = connection.vendor == "sqlite" and not self._version_changed()
        return not is_still and self._has_grown()

    def _has_grown(self) -> bool:
        before, self._seen = self._seen, (latest_seq(), latest_alert())
        return self._seen != before

    def _version_changed(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            row = cursor.fetchone()
        # Values are comparable only within one connection.
        before, self._version = self._version, (connection.connection, int(row[0]))
        return self._version != before


watcher = Watcher()
