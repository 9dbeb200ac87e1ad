"""The socket of a page whose edition is being written: a small event at each step."""

import asyncio
from typing import Any

from django.db import Error

from digests.editions.progress import progress_of
from feeds.web.live.queries import in_thread
from feeds.web.live.socket import ReaderSocket

PAUSE = 1.0
LONGEST = 1800
"""Seconds for which one page is told; it asks by itself after that."""


class WritingConsumer(ReaderSocket):
    """Sends what `progress_of` says, whenever it says something new; ends with the last of it.

    Pages listen only while something is written, so it asks the database for its one row
    each second, and needs no Redis.
    """

    def __init__(self, *, is_global: bool = False) -> None:
        super().__init__()
        self.is_global = is_global

    async def serve(self) -> None:
        sent: dict[str, Any] = {}
        for _ in range(int(LONGEST / PAUSE)):
            event = await self._look() or sent
            if event != sent:
                await self.send_json(event)
                sent = event
            if event.get("kind") == "written":
                return
            await asyncio.sleep(PAUSE)

    async def _look(self) -> dict[str, Any] | None:
        """None while the database is away."""
        try:
            return await in_thread(progress_of, self.scope["user"], is_global=self.is_global)
        except Error:
            return None
