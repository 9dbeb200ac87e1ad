"""The websocket that reports the progress of writing an edition."""

import asyncio
from typing import Any

from django.db import Error

from digests.editions.progress import progress_of
from feeds.web.live.queries import in_thread
from feeds.web.live.socket import ReaderSocket

PAUSE = 1.0
LONGEST = 1800
"""Seconds after which the socket closes. The page then polls."""


class WritingConsumer(ReaderSocket):
    """Sends the result of `progress_of` when it changes, and closes when the edition is written.

    It queries one row each second. This needs no Redis, and pages connect only while an edition
    is being written.
    """

    def __init__(self, *, is_global: bool = False) -> None:
        super().__init__()
        self.is_global = is_global

    async def serve(self) -> None:
        sent: dict[str, Any] = {}
        for _ in range(int(LONGEST / PAUSE)):
            event = await self._query_progress() or sent
            if event != sent:
                await self.send_json(event)
                sent = event
            if event.get("kind") == "written":
                return
            await asyncio.sleep(PAUSE)

    async def _query_progress(self) -> dict[str, Any] | None:
        """Query the progress; None while the database is unavailable."""
        try:
            return await in_thread(progress_of, self.scope["user"], is_global=self.is_global)
        except Error:
            return None
