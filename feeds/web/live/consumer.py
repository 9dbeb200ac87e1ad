"""The websocket that tells a reader's pages of new items and trend alerts."""

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
"""Least seconds between two queries for one socket."""
RETRY = 3.0
"""Seconds before a retry when the database failed."""

logger = logging.getLogger(__name__)


class LiveConsumer(ReaderSocket):
    """Sends `{kind: "new", seq, items, stories}` for new items and `{kind: "trend", term, label,
    explanation}` once per alert.

    The counts start at the seq that the client has seen, which it sends as `{seq}`. If `more` is
    true, they are lower bounds.
    """

    async def prepare(self) -> None:
        self.user_id: int = self.scope["user"].pk
        self.changed = asyncio.Event()
        self.seq, alerts = await in_thread(_query_start, self.user_id)
        # Earlier alerts are shown on the trends page only.
        self.sent_alerts = {alert.pk for alert in alerts}

    async def serve(self) -> None:
        await self.send_json({"kind": "hello", "seq": self.seq})
        with watcher.listen(self.changed):
            while True:
                await self.changed.wait()
                self.changed.clear()
                try:
                    await self._send_news()
                    await asyncio.sleep(PAUSE)
                except Error as error:
                    logger.debug("live_news_failed user_id=%s reason=%s", self.user_id, error)
                    await asyncio.sleep(RETRY)
                    self.changed.set()

    async def receive_message(self, message: dict[str, Any]) -> None:
        """Start counting at the seq that the client sends, after a reconnect or an update."""
        seq = read_seq(message)
        if seq is not None:
            self.seq = seq
            self.changed.set()

    async def _send_news(self) -> None:
        """Send the counts since the client's seq, and new alerts. The seq does not change here:
        the client sends a new one when it has shown the items."""
        news, alerts = await in_thread(_query_news, self.user_id, self.seq)
        if news.items or news.has_more:
            await self.send_json(news.as_event())
        for alert in alerts:
            if alert.pk not in self.sent_alerts:
                self.sent_alerts.add(alert.pk)
                await self.send_json(as_event(alert))


def _query_start(user_id: int) -> tuple[int, list[TrendAlert]]:
    return reader_seq(user_id), due_alerts(user_id, db_clock.now())


def _query_news(user_id: int, seq: int) -> tuple[News, list[TrendAlert]]:
    return news_since(user_id, seq), due_alerts(user_id, db_clock.now())
