"""One watcher a web process: knows of new items soon, while somebody listens.

The worker's events wake it where there is a Redis. Without one, or while it is away, it asks
the database each second: SQLite's `data_version` changes when another process commits, and
costs no disk; only then is the ledger asked. Other databases are asked for the ledger's newest
number. What came is counted from what each reader saw last, so whoever wakes it, and however
often, nothing is told twice or left out.
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

PAUSE = 1.0
SAFETY = 15.0
"""Seconds after which it asks all the same: an event may be lost with a Redis that restarts."""
RETRY = 5.0
"""Seconds before it listens again after that broke off."""

logger = logging.getLogger(__name__)


class Watcher:
    """Wakes its listeners, one event each, when the ledger or the alerts have grown."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._version: tuple[object, int] | None = None
        self._seen = (-1, -1)

    @contextmanager
    def listen(self, event: asyncio.Event | None = None) -> Iterator[asyncio.Event]:
        """An event that is set at each change; the watching ends with the last listener."""
        event = event or asyncio.Event()
        self._listeners.add(event)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._watch())
        try:
            yield event
        finally:
            self._listeners.discard(event)
            if not self._listeners and self._task is not None:
                self._task.cancel()
                self._task = None

    async def _watch(self) -> None:
        retry_at = 0.0
        while True:
            if settings.REDIS_URL and time.monotonic() >= retry_at:
                if not await sync_to_async(circuit.current_problem)():
                    await self._hear()
                retry_at = time.monotonic() + RETRY
            await self._look(self._has_changed)
            await asyncio.sleep(PAUSE)

    async def _hear(self) -> None:
        """Look at each event, until Redis goes."""
        layer, channel = get_channel_layer(), f"watcher.{uuid4().hex}"
        hearing: asyncio.Task[Any] | None = None
        try:
            while not circuit.problem:
                # Each time, as one that restarts forgets who listens.
                await layer.group_add(GROUP, channel)
                await self._look(self._has_grown)
                hearing = hearing or asyncio.create_task(layer.receive(channel))
                await asyncio.wait({hearing}, timeout=SAFETY)
                if hearing.done():
                    hearing.result()
                    hearing = None
        except Exception as error:  # noqa: BLE001 - whatever it is, the database is asked then
            logger.info("live_events_lost reason=%s", error)
        finally:
            await self._hear_no_more(layer, channel, hearing)

    async def _hear_no_more(self, layer: Any, channel: str, hearing: Any) -> None:
        if hearing is not None:
            hearing.cancel()
            await asyncio.gather(hearing, return_exceptions=True)
        with suppress(Exception):  # if it cannot be told, it forgets by itself
            await asyncio.wait_for(layer.group_discard(GROUP, channel), PAUSE)

    async def _look(self, is_new: Callable[[], bool]) -> None:
        try:
            if await sync_to_async(is_new)():
                for event in self._listeners:
                    event.set()
        except Error:  # a database that is away for a moment comes back, its connection does not
            await sync_to_async(self._give_up)()
        except Exception:  # nobody would watch any more
            logger.exception("live_look_failed")

    def _give_up(self) -> None:
        self._version = None  # what came meanwhile is looked for at the next try
        connection.close()  # of this thread: `connection` is another one in each

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
        # The number says something only beside an earlier one of the same connection, and
        # Channels closes that of this thread now and then.
        before, self._version = self._version, (connection.connection, int(row[0]))
        return self._version != before


watcher = Watcher()
