"""The websocket that tells a reader's pages of new items, unread counts and trend alerts."""

from typing import Any

from feeds.web.live.hub import hub
from feeds.web.live.messages import read_number, read_seq
from feeds.web.live.news import News
from feeds.web.live.socket import ReaderSocket

CLOCKS_DIFFER = 60
"""Seconds by which the clocks of two servers may differ. A client shows no alert twice."""


class LiveConsumer(ReaderSocket):
    """Sends `{kind: "hello", seq, state, at}` first, then

    - `{kind: "new", seq, items, stories}` when there are new items of the reader's sources. The
      counts start at the seq that the client has seen, which it sends as `{seq}`. `stories` leaves
      out muted topics, as the page "Stories" does. If `more` is true, they are lower bounds. The
      client sends a new seq when it has shown the items.
    - `{kind: "counts", unread, state}` with the number of all unread items, when the reader has
      done something that may change it, on any page, device or API client.
    - `{kind: "trend", id, term, label, explanation}` once per alert.

    A client that connects again misses nothing: it sends `{seq, counts: true}` if the `state`
    differs from the last one that it got, and the `at` of its first greeting as `since`, which
    repeats the alerts since then.
    """

    seq: int | None = None
    is_greeted = False
    last_news: News | None = None
    alerts_since: float | None = None

    async def serve(self) -> None:
        self.user_id: int = self.scope["user"].pk
        self.version: int = self.scope["user"].version
        self.sent_alerts: set[int] = set()
        with hub.join(self):
            await self.send_waiting()

    async def receive_message(self, message: dict[str, Any]) -> None:
        """Start counting at the seq that the client sends, after a reconnect or an update."""
        seq = read_seq(message)
        if seq is None:
            return
        self.seq = seq
        if (since := read_number(message, "since")) is not None:
            self.alerts_since = since - CLOCKS_DIFFER
        if message.get("counts") is True:
            hub.ask_counts(self)
        hub.ask(self)
