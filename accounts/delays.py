"""Delays refusals for a moment, which slows down a client that repeats its requests.

Under daphne, each request has its own thread, so waiting takes nothing from others. gunicorn has
few threads, so there a refusal is sent at once; Nginx delays such clients.
"""

import threading
import time

from django.core.handlers.asgi import ASGIRequest
from django.db import connections
from django.http import HttpRequest

SECONDS = 1.0
MAX_DELAYED = 50
"""Requests in one process."""

_free = threading.BoundedSemaphore(MAX_DELAYED)


def delay_refusal(request: HttpRequest) -> None:
    """Wait, unless many threads do so already. The database connections of this thread are closed,
    because a pool has fewer of them than requests may wait."""
    if not isinstance(request, ASGIRequest) or not _free.acquire(blocking=False):
        return
    try:
        connections.close_all()
        time.sleep(SECONDS)
    finally:
        _free.release()
