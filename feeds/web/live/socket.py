"""The base class of all websockets. They need a signed-in reader and have limits."""

import asyncio
import json
import logging
from contextlib import suppress
from typing import Any

from channels.consumer import get_handler_name
from channels.generic.websocket import AsyncWebsocketConsumer

from feeds.web.live.messages import MAX_LENGTH, Throttle, read_message
from feeds.web.live.outbox import Outbox
from feeds.web.live.sessions import OpenSession, session_watcher

MAX_SOCKETS = 50
"""Open sockets of one reader per web process."""
MAX_OPEN = 10_000
"""Open sockets of all readers per web process."""
PROTOCOL = "ainews"
"""The subprotocol that clients with an API token offer beside the token."""
SEND_SECONDS = 20.0
"""Seconds within which a client must read a message, where the server waits for that."""
SIGNED_OUT, TOO_MANY = 4401, 4429
BAD_DATA, STALLED, TOO_BIG, FAILED, TRY_LATER = 4400, 4408, 4413, 4500, 4503
"""Close codes: 4000 plus the HTTP status. Applications may use codes from 3000 on. Pages connect
again after each of them, but only once after SIGNED_OUT."""

logger = logging.getLogger(__name__)


class ReaderSocket(AsyncWebsocketConsumer):  # type: ignore[misc]
    """A websocket of a reader.

    A subclass implements `serve`, which runs until the client disconnects; when it returns, the
    socket is closed. `receive_message` is called with each JSON object that the client sends.

    A client that does not read delays nobody: `put` never waits, and the messages that wait are
    limited (`Outbox`), as are those that the web server holds (`ainews_site.daphne_limits`).
    """

    channel_layer_alias = ""
    """No channel layer: one watcher per process listens for all sockets, so that they survive a
    failure of Redis."""
    task: asyncio.Task[None] | None = None
    is_over = False

    async def serve(self) -> None:
        raise NotImplementedError

    async def receive_message(self, message: dict[str, Any]) -> None:
        """Handle a message of the client. The default ignores it."""

    async def connect(self) -> None:
        user = self.scope["user"]
        if not user.is_authenticated:
            await self.close(code=SIGNED_OUT)
            return
        if session_watcher.count(user.pk) >= MAX_SOCKETS:
            await self.close(code=TOO_MANY)
            return
        if session_watcher.count() >= MAX_OPEN:
            await self.close(code=TRY_LATER)
            return
        self.throttle, self.outbox = Throttle(), Outbox()
        await self.accept(PROTOCOL if PROTOCOL in self.scope.get("subprotocols", ()) else None)
        self.task = asyncio.create_task(self._run(OpenSession.of(self.scope)))

    async def disconnect(self, code: int) -> None:
        await self._stop()

    async def dispatch(self, message: dict[str, Any]) -> None:
        """Handle messages directly. Channels would use the shared database thread for each of
        them, so a client that floods its socket would delay all others."""
        await getattr(self, get_handler_name(message))(message)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.is_over:
            return
        if text_data is None:
            await self.end(BAD_DATA)
        elif len(text_data) > MAX_LENGTH:
            await self.end(TOO_BIG)
        elif not self.throttle.allows():
            await self.end(TOO_MANY)
        elif message := read_message(text_data):
            await self.receive_message(message)

    async def send_json(self, event: dict[str, Any]) -> None:
        if not self.is_over:
            await self.send(text_data=json.dumps(event))

    def put(self, kind: object, message: str) -> None:
        """Let `send_waiting` send a message instead of a waiting one of the same kind."""
        if not self.is_over and not self.outbox.put(kind, message):
            self._ending = asyncio.create_task(self.end(STALLED))

    async def send_waiting(self) -> None:
        """Send what is put, until the client stalls."""
        while True:
            message = await self.outbox.get()
            try:
                async with asyncio.timeout(SEND_SECONDS):
                    await self.send(text_data=message)
            except TimeoutError:
                await self.end(STALLED)
                return

    async def end(self, code: int | None = None) -> None:
        """Close the socket. Messages are ignored from now on."""
        if not self.is_over:
            self.is_over = True
            await self._stop()
            await self.close(code=code)

    async def _run(self, session: OpenSession) -> None:
        """Run `serve`, and close the socket after an error so that the client reconnects."""
        code = None
        with session_watcher.watch(session, lambda: self.end(SIGNED_OUT)):
            try:
                await self.serve()
            except Exception:
                logger.exception("socket_failed user_id=%s", session.user_id)
                code = FAILED
        await self.end(code)

    async def _stop(self) -> None:
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()
            with suppress(asyncio.CancelledError):
                await self.task
