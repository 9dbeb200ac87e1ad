"""The socket of a signed-in reader: one small event when something new is there."""

import asyncio
import logging
from typing import Any

from django.db import Error

from ainews_site.infra import db_clock
from feeds.models import TrendAlert
from feeds.trends.alerts import as_event, due_alerts
from feeds.web.live.messages import read_seq
from feeds.web.live.news import News, news_since, reader_seq
from feeds.web.live.queries import in_thread
from feeds.web.live.socket import ReaderSocket
from feeds.web.live.watch import watcher

PAUSE = 0.3
"""Seconds between two counts for one socket, whatever arrives and however often it asks."""
RETRY = 3.0
"""Seconds after which it looks again when the database failed."""

logger = logging.getLogger(__name__)


class LiveConsumer(ReaderSocket):
    """Sends `{kind: "new", seq, items, stories}` and, once each, `{kind: "trend", term, label,
    explanation}`. With `more` the counts are the least that there is. The client sends `{seq}`,
    what it saw last."""

    async def prepare(self) -> None:
        self.user_id: int = self.scope["user"].pk
        self.changed = asyncio.Event()
        self.seq, alerts = await in_thread(_start, self.user_id)
        # Those of before stand on the page of trends.
        self.told = {alert.pk for alert in alerts}

    async def serve(self) -> None:
        await self.send_json({"kind": "hello", "seq": self.seq})
        with watcher.listen(self.changed):
            while True:
                await self.changed.wait()
                self.changed.clear()
                try:
                    await self._tell()
                    await asyncio.sleep(PAUSE)
                except Error as error:
                    logger.debug("live_news_failed user_id=%s reason=%s", self.user_id, error)
                    await asyncio.sleep(RETRY)
                    self.changed.set()

    async def receive_message(self, message: dict[str, Any]) -> None:
        """A client that comes again says what it saw, and is caught up."""
        seq = read_seq(message)
        if seq is not None:
            self.seq = seq
            self.changed.set()

    async def _tell(self) -> None:
        """Counts go from what the page shows: the client says anew when it took them in."""
        news, alerts = await in_thread(_look, self.user_id, self.seq)
        if news.items or news.has_more:
            await self.send_json(news.as_event())
        for alert in alerts:
            if alert.pk not in self.told:
                self.told.add(alert.pk)
                await self.send_json(as_event(alert))


def _start(user_id: int) -> tuple[int, list[TrendAlert]]:
    return reader_seq(user_id), due_alerts(user_id, db_clock.now())


def _look(user_id: int, seq: int) -> tuple[News, list[TrendAlert]]:
    return news_since(user_id, seq), due_alerts(user_id, db_clock.now())
