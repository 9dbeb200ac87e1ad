"""A small server for the metrics of a machine that has workers alone: METRICS_LISTEN."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from django.conf import settings
from django.db import connections

from ainews_site.config.metrics import address_of
from ainews_site.infra.console import report
from ainews_site.metrics.guard import may_read

SECONDS = 5.0
"""Time that a client has to send its request."""

logger = logging.getLogger(__name__)


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    server_version, sys_version = "AINews", ""

    def do_GET(self) -> None:
        authorization = self.headers.get("Authorization", "")
        is_allowed = may_read(authorization, self.client_address[0], is_forwarded=False)
        if self.path.partition("?")[0] != "/metrics" or not is_allowed:
            self._answer(404, b"Not found.\n", "text/plain")
            return
        from ainews_site.metrics.exposition import exposition  # a worker needs it for this alone

        try:
            body, kind = exposition(self.headers.get("Accept", ""), with_measured=False)
        except Exception:
            logger.exception("metrics_failed")
            self._answer(503, b"The metrics could not be read.\n", "text/plain")
        else:
            self._answer(200, body, kind)
        finally:
            connections.close_all()

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """A scrape each few seconds is not worth a line."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True


@contextmanager
def serving_metrics() -> Iterator[None]:
    """Serve the metrics while the block runs, if METRICS_LISTEN is set.

    A port that is taken is reported, and the worker runs without them.
    """
    address = address_of(settings.METRICS_LISTEN) if settings.METRICS else None
    if address is None:
        yield
        return
    try:
        server = _Server(address, _Handler)
    except OSError as error:
        report(f"METRICS_LISTEN={settings.METRICS_LISTEN} cannot be used: {error.strerror}.")
        yield
        return
    threading.Thread(target=server.serve_forever, daemon=True, name="metrics").start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
