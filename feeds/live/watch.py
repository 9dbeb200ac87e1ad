"""One watcher a web process: asks the database for new items while somebody listens.

SQLite's `data_version` changes when another process commits, and costs no disk; only
then is the ledger asked. Other databases are asked for the ledger's newest number.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from asgiref.sync import sync_to_async
from django.db import Error, connection

from feeds.live.news import latest_seq

PAUSE = 1.0


class Watcher:
    """Wakes its listeners, one event each, when the ledger has grown."""

    def __init__(self) -> None:
        self._listeners: set[asyncio.Event] = set()
        self._task: asyncio.Task[None] | None = None
        self._version = -1
        self._seq = -1

    @contextmanager
    def listen(self) -> Iterator[asyncio.Event]:
        """An event that is set at each change; the watching ends with the last listener."""
        event = asyncio.Event()
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
        while True:
            with suppress(Error):  # a database that is away for a moment comes back
                if await sync_to_async(self._has_grown)():
                    for event in self._listeners:
                        event.set()
            await asyncio.sleep(PAUSE)

    def _has_grown(self) -> bool:
        if connection.vendor == "sqlite" and not self._version_changed():
            return False
        before, self._seq = self._seq, latest_seq()
        return self._seq != before

    def _version_changed(self) -> bool:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA data_version")
            row = cursor.fetchone()
        before, self._version = self._version, int(row[0])
        return self._version != before


watcher = Watcher()
