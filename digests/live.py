"""The socket of a page whose edition is being written: a small event at each step."""

import asyncio
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import Error, connection

from digests.progress import progress_of

PAUSE = 1.0
LONGEST = 1800
"""Seconds for which one page is told; it asks by itself after that."""


class WritingConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Sends what `progress_of` says, whenever it says something new; ends with the last of it.

    Pages listen only while something is written, so it asks the database for its one row
    each second, and needs no Redis.
    """

    channel_layer_alias = ""
    task: asyncio.Task[None] | None = None

    def __init__(self, *, is_global: bool = False) -> None:
        super().__init__()
        self.is_global = is_global

    async def connect(self) -> None:
        self.user = self.scope["user"]
        if not self.user.is_authenticated:
            await self.close(code=4401)
            return
        await self.accept()
        self.task = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def receive(self, *_: Any, **__: Any) -> None:
        """It only tells."""

    async def _tell(self) -> None:
        said: dict[str, Any] = {}
        for _ in range(int(LONGEST / PAUSE)):
            event = await sync_to_async(self._look)() or said
            if event != said:
                await self.send_json(event)
                said = event
            if event.get("kind") == "written":
                break
            await asyncio.sleep(PAUSE)
        await self.close()

    def _look(self) -> dict[str, Any] | None:
        try:
            return progress_of(self.user, is_global=self.is_global)
        except Error:  # a database that is away for a moment comes back, its connection does not
            connection.close()
            return None
