"""The hub of a web process: finds the news of all open sockets together and hands them out.

It runs a pass when something arrived, when a client reports its seq, or when a reader's cache
version changed. A pass makes the same few queries whatever the number of readers, and a message
with the same content is serialised once. Passes follow each other after a pause, so that a burst
of events is one message for each client.
"""

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from time import time
from typing import Any, Protocol

from django.conf import settings
from django.db import Error

from ainews_site.infra.process_state import resets_process_state
from feeds.trends.alerts import as_event
from feeds.web.live.delay import EventDelay
from feeds.web.live.news import News, NewsDesk, ReaderNews, unread_totals
from feeds.web.live.queries import in_thread
from feeds.web.live.watch import watcher

PAUSE, SHORT_PAUSE = 0.3, 0.05
"""Least seconds between two passes, and after one for new sockets alone."""
RETRY = 3.0
"""Seconds before a retry when the database failed."""
COUNTED_AT_ONCE = 50
"""Number of readers whose unread items are counted in one pass. Each takes a query of its own."""

logger = logging.getLogger(__name__)


class Listener(Protocol):
    """A socket. `version` is the cache version of its reader when it opened, `seq` the ledger
    number to count from, None until the first pass. `alerts_since` is set for a page that connects
    again: the alerts since then are sent once more."""

    user_id: int
    version: int
    seq: int | None
    is_greeted: bool
    last_news: News | None
    sent_alerts: set[int]
    alerts_since: float | None

    def put(self, kind: object, message: str) -> None:
        """Let the socket send a message. Never waits."""


class Hub:
    """The open sockets of this process, by reader."""

    def __init__(self) -> None:
        self.desk, self._delay = NewsDesk(), EventDelay()
        self._listeners: dict[int, set[Listener]] = defaultdict(set)
        self._versions: dict[int, int] = {}
        self._asked: set[int] = set()
        """Readers with a socket that was not greeted, or whose client reported a seq."""
        self._changed: set[int] = set()
        """Readers whose cache version changed."""
        self._has_news = False
        self._wake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @contextmanager
    def join(self, listener: Listener) -> Iterator[None]:
        """Send greeting, news, alerts and counts to a socket."""
        self._listeners[listener.user_id].add(listener)
        self._versions.setdefault(listener.user_id, listener.version)
        self.ask(listener)
        if self._task is None or self._task.done():
            self._wake = asyncio.Event()
            self._wake.set()
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._leave(listener)

    def _leave(self, listener: Listener) -> None:
        sockets = self._listeners[listener.user_id]
        sockets.discard(listener)
        if not sockets:
            del self._listeners[listener.user_id]
            self._versions.pop(listener.user_id, None)
            self.desk.forget(listener.user_id)
        if not self._listeners:
            self._wake.set()

    def ask(self, listener: Listener) -> None:
        """Count the news of this socket soon, and send them even if they have not changed."""
        listener.last_news = None
        self._asked.add(listener.user_id)
        self._wake.set()

    def ask_counts(self, listener: Listener) -> None:
        """Send the counts of this socket's reader soon."""
        self._changed.add(listener.user_id)
        self._wake.set()

    def see_versions(self, versions: Mapping[int, int]) -> None:
        """Learn the present cache versions. Readers whose version changed get their counts."""
        for user_id in versions.keys() & self._listeners.keys():
            if self._versions[user_id] != versions[user_id]:
                self._versions[user_id] = versions[user_id]
                self._changed.add(user_id)
                self._wake.set()

    def see_news(self) -> None:
        """Learn that something arrived. The watcher calls it."""
        self._has_news = True
        self._wake.set()

    async def _run(self) -> None:
        """Run passes until the last socket has left."""
        with watcher.listen(self.see_news):
            while self._listeners:
                await self._wake.wait()
                self._wake.clear()
                pause = PAUSE if self._has_news or self._changed else SHORT_PAUSE
                await self._pass()
                await asyncio.sleep(pause)

    async def _pass(self) -> None:
        asked, self._asked = self._asked, set()
        has_news, self._has_news = self._has_news, False
        changed = set(list(self._changed)[:COUNTED_AT_ONCE])
        self._changed -= changed
        if self._changed:
            self._wake.set()
        try:
            await self._send_news([*self._listeners] if has_news else asked | changed)
            await self._send_counts(changed & self._listeners.keys())
            if has_news and settings.METRICS:
                await in_thread(self._delay.observe)
        except Exception as error:
            if not isinstance(error, Error):
                logger.exception("live_pass_failed")
            self._asked |= asked
            self._changed |= changed
            self._has_news |= has_news
            await asyncio.sleep(RETRY)
            self._wake.set()

    async def _send_news(self, user_ids: Iterable[int]) -> None:
        seqs = {
            pk: {socket.seq for socket in self._listeners[pk] if socket.seq is not None}
            for pk in user_ids
            if pk in self._listeners
        }
        if not seqs:
            return
        news = await in_thread(self.desk.news_of, seqs)
        writer = _Writer()
        for user_id, reader_news in news.items():
            for listener in tuple(self._listeners.get(user_id, ())):
                writer.send(listener, reader_news, self._versions[user_id])

    async def _send_counts(self, user_ids: set[int]) -> None:
        if not user_ids:
            return
        for user_id, total in (await in_thread(unread_totals, user_ids)).items():
            state = str(self._versions.get(user_id, ""))
            message = json.dumps({"kind": "counts", "unread": total, "state": state})
            for listener in tuple(self._listeners.get(user_id, ())):
                listener.put("counts", message)


class _Writer:
    """Serialises the messages of one pass. Equal ones are serialised once."""

    def __init__(self) -> None:
        self._texts: dict[object, str] = {}

    def send(self, listener: Listener, news: ReaderNews, version: int) -> None:
        due = {alert.pk: alert for alert in news.alerts}
        if not listener.is_greeted:
            listener.is_greeted = True
            listener.seq = news.seq if listener.seq is None else listener.seq
            # Earlier alerts are shown on the trends page only.
            listener.sent_alerts = set(due)
            hello = {"kind": "hello", "seq": news.seq, "state": str(version), "at": int(time())}
            listener.put("hello", json.dumps(hello))
        if (since := listener.alerts_since) is not None:
            listener.alerts_since = None
            listener.sent_alerts -= {
                pk for pk, alert in due.items() if alert.due_at.timestamp() > since
            }
        counted = news.since.get(listener.seq or 0)
        if counted and _is_worth_sending(counted, listener.last_news):
            listener.last_news = counted
            listener.put("new", self._text(counted, counted.as_event()))
        for pk in sorted(due.keys() - listener.sent_alerts):
            listener.sent_alerts.add(pk)
            listener.put(("trend", pk), json.dumps(as_event(due[pk])))

    def _text(self, key: object, event: dict[str, Any]) -> str:
        if key not in self._texts:
            self._texts[key] = json.dumps(event)
        return self._texts[key]


def _is_worth_sending(news: News, sent: News | None) -> bool:
    """Return False if there is nothing new, or if a message with the same counts was sent.

    Repeating it would show that something arrived in a source of others, even a private one.
    """
    if sent is None:
        return bool(news.items or news.has_more)
    return replace(news, lsn="") != replace(sent, lsn="")


hub = Hub()


@resets_process_state
def _forget_news() -> None:
    hub.desk = NewsDesk()
