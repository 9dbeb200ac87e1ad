"""Refuses requests beyond what the web server of one machine can serve, before they wait long.

Daphne starts each request at once, however many there are, so that under load all of them become
slow together. The gate lets a few run, a limited number wait for a short time, and answers the
others 503 with Retry-After. Health checks, static files and sockets pass.

Behind Nginx, `max_conns` of `deploy/nginx.conf` and ainews_site.wait_limit do the same for
gunicorn.
"""

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from django.conf import settings

from ainews_site.config.origins import static_origin
from ainews_site.infra.metrics import REFUSED
from ainews_site.infra.problem_page import API, Problem, page_of
from ainews_site.observe.context import new_id, of_request
from ainews_site.request_log import HEADER, log_end

BUSY = Problem(
    "Temporarily unavailable",
    "AI News is too busy to answer right now.",
    "Your news is safe.",
    "Try again in a few seconds. If you have just changed something, check that it was saved.",
    label="Try again",
)
RETRY_AFTER = 10
"""Seconds."""
SHORT, LONG = 2.0, 5.0
"""Seconds that a request may wait while there are too many, and otherwise."""
STANDING = 2.0
"""Seconds after which requests that always wait are too many."""
FEW, SLOW = 8, 20.0
"""How many requests come before one that waits because the process is slow, not because it is asked
for too much, and the seconds that this one may wait."""
PASSING = ("/health", "/metrics", "/static/")
"""Beginnings of paths that are not counted."""
POLICY = "default-src 'self' {}; object-src 'none'; base-uri 'none'; frame-ancestors 'none'"
"""Filled in with the host of a CDN, whose style sheet the page uses."""

Scope = dict[str, Any]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class WaitLimit:
    """How long requests of this process may wait.

    In a short burst they may wait for some seconds, because all of them are served soon. If there
    was always a queue for a while, there are more than the machine can serve. Then a request is
    refused within two seconds, so that the others do not wait long either.

    A process that has just started, or whose machine is busy with something else, may need seconds
    for a single request. The next one is not refused for that: only if at least FEW others had
    their turn while it waited, there are too many.
    """

    def __init__(self) -> None:
        self._short_at = time.monotonic()
        """When a request last waited for less than half of SHORT."""
        self._turns = deque[float](maxlen=FEW)
        """When the last requests had their turns."""

    def seconds(self) -> float:
        """Return how long a request may wait at present."""
        return SHORT if time.monotonic() - self._short_at > STANDING else LONG

    def allows(self, waited: float) -> bool:
        """Take note of how long a request has waited. Returns False if it shall be refused."""
        now = time.monotonic()
        limit = self.seconds() if self._were_many(now - waited) else SLOW
        self._turns.append(now)
        if waited < SHORT / 2:
            self._short_at = now
        return waited <= limit

    def _were_many(self, since: float) -> bool:
        turns = list(self._turns)
        return len(turns) == FEW and turns[0] >= since


class LoadGate:
    """ASGI middleware for HTTP: `at_once` requests run, and `waiting` wait."""

    def __init__(self, application: Application, at_once: int, waiting: int) -> None:
        self.application, self._limit = application, WaitLimit()
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
        began = time.monotonic()
        if self._turns.locked():
            if self._room <= 0:
                return False
            self._room -= 1
            try:
                async with asyncio.timeout(self._limit.seconds()):
                    await self._turns.acquire()
            except TimeoutError:
                return False
            finally:
                self._room += 1
        else:
            await self._turns.acquire()
        self._limit.allows(time.monotonic() - began)
        return True


async def refuse(scope: Scope, send: Send) -> None:
    """Answer 503."""
    REFUSED.add()
    query = scope.get("query_string", b"").decode("ascii", "replace")
    headers, body = refusal(scope["method"], scope["path"], query)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 503, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


def refusal(method: str, path: str, query: str) -> tuple[dict[str, str], bytes]:
    """Return the headers and the body of an answer 503, a page or JSON for the API, and log it."""
    if path.startswith(API):
        kind, text = "application/json", json.dumps({"detail": BUSY.happened})
    else:
        link = f"/{quote(path.lstrip('/'))}" + (f"?{query}" if query else "")
        problem = replace(BUSY, link=link) if method in ("GET", "HEAD") else BUSY
        kind, text = "text/html; charset=utf-8", page_of(problem)
    body, request_id = text.encode(), new_id()
    with of_request(request_id):
        log_end("request", method, "", 503, time.perf_counter())
    headers = {
        "Content-Type": kind,
        "Content-Length": str(len(body)),
        "Content-Security-Policy": POLICY.format(static_origin(settings.STATIC_URL)),
        "Cache-Control": "no-store",
        "Retry-After": str(RETRY_AFTER),
        HEADER: request_id,
    }
    return headers, b"" if method == "HEAD" else body
