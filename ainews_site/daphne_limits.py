"""Rejects request bodies that are too large before Daphne has read them.

Daphne reads a whole body before it calls the application. This module rejects a body if its
headers announce too many bytes, or as soon as too many have arrived.

It relies on two undocumented details of Daphne and Twisted: Daphne looks up `WebRequest` for each
connection, and a channel knows the path of its request. `tests/ainews_site/test_request_limits.py`
fails if a release changes either.
"""

import json
from typing import Any

import daphne.http_protocol
from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.backends.db import SessionStore
from django.db import connections
from django.http import HttpRequest
from twisted.internet.threads import deferToThread

from ainews_site.request_limits import API_PATH, FORM, limit_for, refusal_message

MAX_DISCARDED = 256 * 1024
LINGER = 2.0
"""How many bytes and seconds a client may go on sending after the response 413. If the connection
were closed at once, the client would not receive it."""


def install() -> None:
    """Make the Daphne servers of this process use LimitedRequest."""
    daphne.http_protocol.WebRequest = LimitedRequest


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
