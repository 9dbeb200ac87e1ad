"""Limits what Daphne holds in memory for a client: the body of a request, and unread messages.

Daphne reads a whole body before it calls the application. This module rejects a body if its
headers announce too many bytes, or as soon as too many have arrived. Daphne also accepts any number
of messages for a WebSocket whose client does not read them. This module closes such a socket.

It relies on undocumented details of Daphne and Twisted: Daphne looks up `WebRequest` and
`WebSocketFactory.protocol` for each connection, and a channel knows the path of its request.
`tests/ainews_site/test_request_limits.py` and `tests/ainews_site/test_socket_limits.py` fail if a
release changes one.
"""

import json
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import daphne.access
import daphne.http_protocol
import daphne.ws_protocol
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest
from twisted.internet.threads import deferToThread

from ainews_site import daphne_stop
from ainews_site.request_limits import API_PATH, FORM, limit_for, refusal_message
from feeds.web.live.socket import STALLED

MAX_DISCARDED = 256 * 1024
LINGER = 2.0
"""How many bytes and seconds a client may go on sending after the response 413. If the connection
were closed at once, the client would not receive it."""

MAX_UNREAD = 32 * 1024
"""How many bytes of messages Daphne holds for a client that does not read, and how many the system
does. Our messages have about 60 bytes."""


def install() -> None:
    """Make the Daphne servers of this process use LimitedRequest and LimitedSocket.

    Daphne's access log, which has addresses and query strings, is left out.
    """
    daphne.access.AccessLogGenerator.write_entry = _write_nothing
    daphne.http_protocol.WebRequest = LimitedRequest
    daphne.ws_protocol.WebSocketFactory.protocol = LimitedSocket


def _write_nothing(*_: object, **__: object) -> None:
    """Stands for a line of Daphne's access log: `ainews_site.request_log` writes those."""


class LimitedRequest(daphne.http_protocol.WebRequest):  # type: ignore[misc]
    """A request whose body is limited by `ainews_site.request_limits`."""

    received = discarded = 0
    target = ""
    is_refused = is_complete = False

    def gotLength(self, length: int | None) -> None:
        """Check the length when the headers have arrived. It is None for a chunked body."""
        super().gotLength(length)
        path = self.target = self.channel._path.partition(b"?")[0].decode("latin-1")
        self.limit = limit_for(path, is_reader=True)
        if length is not None and length > self.limit:
            self.refuse(self.limit)
        elif self.limit > limit_for(path, is_reader=False) and (length is None or length > FORM):
            self._check_session()

    def _check_session(self) -> None:
        """Pause the upload, look up the session, and continue only for a signed-in reader."""
        transport = self.channel.transport
        transport.pauseProducing()
        cookie = self.received_cookies.get(settings.SESSION_COOKIE_NAME.encode(), b"")

        def resume(is_reader: bool) -> None:
            transport.resumeProducing()
            if not is_reader and not self.is_complete:
                self.refuse(FORM)

        def fail(_: Any) -> None:
            resume(False)

        deferToThread(is_signed_in, cookie.decode("latin-1")).addCallbacks(resume, fail)

    def handleContentChunk(self, data: bytes) -> None:
        if self.is_refused:
            self.discarded += len(data)
            if self.discarded > MAX_DISCARDED:
                self.channel.transport.abortConnection()
            return
        self.received += len(data)
        if self.received > self.limit:
            self.refuse(self.limit)
        else:
            super().handleContentChunk(data)

    def requestReceived(self, command: bytes, path: bytes, version: bytes) -> None:
        self.is_complete = True
        if daphne_stop.is_stopping():  # the client shall send its next request to the successor
            self.channel.persistent = False
            self.responseHeaders.setRawHeaders(b"connection", [b"close"])
        if not self.is_refused:
            super().requestReceived(command, path, version)

    def refuse(self, limit: int) -> None:
        """Answer 413 and close the connection."""
        self.is_refused = True
        text, kind = refusal_message(limit), "text/plain; charset=utf-8"
        if self.target.startswith(API_PATH):
            text, kind = json.dumps({"detail": text}), "application/json"
        body = text.encode()
        head = (
            b"HTTP/1.1 413 Content Too Large\r\nContent-Type: %s\r\n"
            b"Content-Length: %d\r\nConnection: close\r\n\r\n" % (kind.encode(), len(body))
        )
        transport = self.channel.transport
        transport.write(head + body)
        transport.loseWriteConnection()
        self.channel.callLater(LINGER, transport.abortConnection)


class LimitedSocket(daphne.ws_protocol.WebSocketProtocol):  # type: ignore[misc]
    """A WebSocket that is closed when its client does not read."""

    def onConnect(self, request: Any) -> Any:
        self.transport.getHandle().setsockopt(SOL_SOCKET, SO_SNDBUF, MAX_UNREAD)
        self.transport.bufferSize = MAX_UNREAD
        # The channel of the HTTP request is still registered.
        self.transport.unregisterProducer()
        self.transport.registerProducer(self, True)
        return super().onConnect(request)

    def serverSend(self, content: Any, binary: bool = False) -> None:
        """Send a message, unless the socket is closing. Autobahn would raise an error."""
        if self.state not in (self.STATE_CLOSING, self.STATE_CLOSED):
            super().serverSend(content, binary)

    def pauseProducing(self) -> None:
        """Close the socket. Twisted calls this when more than `bufferSize` bytes are unsent."""
        self.transport.unregisterProducer()
        self.serverClose(STALLED)

    def resumeProducing(self) -> None:
        """Do nothing, as the socket was closed when it paused."""

    def stopProducing(self) -> None:
        """Do nothing, as `onClose` handles the end of the connection."""


def is_signed_in(session_key: str) -> bool:
    """Return True if the session is that of an active user.

    It queries the database, so it must run in a thread.
    """
    request = HttpRequest()
    request.session = SessionStore(session_key)
    try:
        return get_user(request).is_authenticated
    finally:
        connections.close_all()
