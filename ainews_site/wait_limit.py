"""Refuses requests that have waited too long for a thread of gunicorn.

Nginx on the same machine writes into `X-Request-Start` when it passed a request on. The header is
ignored from others, whose clocks may differ. `max_conns` of `deploy/nginx.conf` limits how many
wait; this limits how long, which also depends on what the machine serves at present.
"""

import time
from collections.abc import Callable, Iterable
from typing import Any

from ainews_site.infra.metrics import REFUSED
from ainews_site.load_gate import PASSING, WaitLimit, refusal

SAME_MACHINE = ("127.0.0.1", "::1", "")
"""Addresses of clients on this machine; a client at a Unix socket has none."""

Environ = dict[str, Any]
Start = Callable[..., Any]


class WaitGate:
    """WSGI middleware that answers 503 instead of a request that has waited too long."""

    def __init__(self, application: Callable[[Environ, Start], Iterable[bytes]]) -> None:
        self.application, self.limit = application, WaitLimit()
        self._started = time.time()

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "").encode("latin-1").decode(errors="replace")
        if path.startswith(PASSING) or self.limit.allows(seconds_waited(environ, self._started)):
            return self.application(environ, start_response)
        REFUSED.add()
        method, query = environ["REQUEST_METHOD"], environ.get("QUERY_STRING", "")
        headers, body = refusal(method, path, query)
        start_response("503 Service Unavailable", list(headers.items()))
        return [body]


def seconds_waited(environ: Environ, started: float = 0.0) -> float:
    """Return the seconds since Nginx passed the request on, 0 if it did not say so.

    The time before this process `started` does not count: a request that waited for a restart would
    otherwise be refused, although it can be served at once.
    """
    if environ.get("REMOTE_ADDR", "") not in SAME_MACHINE:
        return 0.0
    try:
        began = float(environ.get("HTTP_X_REQUEST_START", "").removeprefix("t="))
    except ValueError:
        return 0.0
    return max(0.0, time.time() - max(began, started))
