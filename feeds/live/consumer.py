"""The socket of a signed-in reader: one small event when something new is there."""

import asyncio
from contextlib import suppress
from typing import Any

from asgiref.sync import sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer

from feeds import clock
from feeds.live.alerts import as_event, due_alerts
from feeds.live.news import latest_seq, news_since
from feeds.live.watch import watcher
from feeds.models import TrendAlert


class LiveConsumer(AsyncJsonWebsocketConsumer):  # type: ignore[misc]
    """Says `{kind: "new", seq, items, stories}` and, once each, `{kind: "trend", term, label,
    explanation}`; takes `{seq}`, what the client saw last."""

    channel_layer_alias = ""
    """None: one watcher a process listens for all, and a Redis that goes ends no socket."""
    task: asyncio.Task[None] | None = None

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(code=4401)
            return
        self.user_id: int = user.pk
        self.seq = await sync_to_async(latest_seq)()
        # Those of before stand on the page of trends.
        self.told = {alert.pk for alert in await self._alerts()}
        await self.accept()
        await self.send_json({"kind": "hello", "seq": self.seq})
        self.task = asyncio.create_task(self._tell())

    async def disconnect(self, code: int) -> None:
        if self.task is not None:
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task

    async def receive_json(self, content: Any, **_: Any) -> None:
        """A client that comes again says what it saw, and is caught up."""
        seq = content.get("seq") if isinstance(content, dict) else None
        if isinstance(seq, int) and 0 <= seq < 2**62:
            self.seq = seq
            await self._send_news()

    @classmethod
    async def decode_json(cls, text_data: str) -> Any:
        """Nonsense is no message; it does not end the connection."""
        try:
            return await super().decode_json(text_data)
        except ValueError:
            return None

    async def _tell(self) -> None:
        with watcher.listen() as changed:
            while True:
                await changed.wait()
                changed.clear()
                await self._send_news()
                await self._send_alerts()

    async def _alerts(self) -> list[TrendAlert]:
        return await sync_to_async(due_alerts)(self.user_id, await sync_to_async(clock.now)())

    async def _send_alerts(self) -> None:
        for alert in await self._alerts():
            if alert.pk not in self.told:
                self.told.add(alert.pk)
                await self.send_json(as_event(alert))

    async def _send_news(self) -> None:
        """Counts go from what the page shows: the client says anew when it took them in."""
        news = await sync_to_async(news_since)(self.user_id, self.seq)
        if news.items:
            await self.send_json(news.as_event())
