"""Refuses requests beyond what the web server of one machine can serve, before they wait long.

Daphne starts each request at once, however many there are, so that under load all of them become
slow together. The gate lets a few run, a limited number wait for a short time, and answers the
others 503 with Retry-After. Health checks, static files and sockets pass.

Behind Nginx, `max_conns` of `deploy/nginx.conf` does the same for gunicorn.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote

from ainews_site.infra.problem_page import API, Problem, page_of

BUSY = Problem(
    "Temporarily unavailable",
    "AI News has more to do than it can manage right now.",
    "Your news is safe.",
    "Try again in a few seconds. If you have just changed something, check that it was saved.",
    label="Try again",
)
RETRY_AFTER = 10
"""Seconds."""
PATIENCE = 5.0
"""Seconds that a request waits for its turn."""
PASSING = ("/health", "/static/")
"""Beginnings of paths that are not counted."""
POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class LoadGate:
    """ASGI middleware for HTTP: `at_once` requests run, and `waiting` wait."""

    def __init__(self, application: Application, at_once: int, waiting: int) -> None:
        self.application = application
        self._turns, self._room = asyncio.Semaphore(at_once), waiting

    async def __call__(self, scope: Scope, receive: Any, send: Send) -> None:
        if scope["path"].startswith(PASSING):
            await self.application(scope, receive, send)
        elif await self._has_turn():
            try:
                await self.application(scope, receive, send)
            finally:
                self._turns.release()
        else:
            await refuse(scope, send)

    async def _has_turn(self) -> bool:
        """Wait for a turn. Returns False if too many wait, or if it takes too long."""
        if not self._turns.locked():
            return await self._turns.acquire()
        if self._room <= 0:
            return False
        self._room -= 1
        try:
            async with asyncio.timeout(PATIENCE):
                return await self._turns.acquire()
        except TimeoutError:
            return False
        finally:
            self._room += 1


async def refuse(scope: Scope, send: Send) -> None:
    """Answer 503, with a page or with JSON."""
    if scope["path"].startswith(API):
        kind, text = "application/json", json.dumps({"detail": BUSY.happened})
    else:
        kind, text = "text/html; charset=utf-8", page_of(_linked(scope))
    body = text.encode()
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Content-Security-Policy": POLICY,
        "Cache-Control": "no-store",
        "Retry-After": str(RETRY_AFTER),
    }
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 503, "headers": pairs})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})


def _linked(scope: Scope) -> Problem:
    """Return the problem with a link to the page that was asked for."""
    link = "/"
    if scope["method"] in ("GET", "HEAD"):
        query = scope.get("query_string", b"").decode("ascii", "replace")
        link = "/" + quote(scope["path"]).lstrip("/") + (f"?{query}" if query else "")
    return Problem(BUSY.title, BUSY.happened, BUSY.done, BUSY.advice, link, BUSY.label)
