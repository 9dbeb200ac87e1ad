"""Serves the sample newsroom over real HTTP: feeds, pages, and feeds that misbehave.

Each outlet has a host of its own, such as pylon.localhost. The address of the server itself
lists the outlets, and redirects the addresses that feeds and articles had in earlier releases.
"""

import hashlib
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import urlsplit

from feeds.demo.edition import LIVE_INTERVAL
from feeds.demo.outlets import OUTLETS, Outlet
from feeds.demo.picture import SUFFIX, has_picture, render_picture
from feeds.demo.published import Published
from feeds.demo.render import (
    CONTENT_TYPES,
    ICON_PATH,
    render_article,
    render_feed,
    render_front_page,
    render_home,
    render_icon,
    render_opml,
)

HTML, SVG = "text/html; charset=utf-8", "image/svg+xml"
SLOW_SECONDS = 3.0
ON_HOME_PAGE = 40
BY_SLUG = {outlet.slug: outlet for outlet in OUTLETS}
OPENED = datetime(2026, 1, 1, tzinfo=UTC)
"""Last-Modified of a feed without articles."""


class Newsroom:
    """The newsroom on a port of its own: `start()` it in a thread or `serve_forever()`.

    `port` 0 chooses a free port. `clock` returns the present as an aware datetime in UTC.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        seed: int = 1,
        interval: timedelta = LIVE_INTERVAL,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.clock = clock
        self._server = _Server((host, port), self)
        self.port = self._server.server_port
        self.base_url = f"http://{host}:{self.port}"
        self.published = Published(clock(), seed, interval)

    def start(self) -> "Newsroom":
        Thread(target=self.serve_forever, name="newsroom", daemon=True).start()
        return self

    def serve_forever(self) -> None:
        """Prepare the articles and serve until `stop()`. Requests wait during the preparation."""
        self.published.prepare(self.clock())
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Free the port. Call it also after a failed start."""
        self._server.server_close()

    def stop(self) -> None:
        self._server.shutdown()
        self.close()

    def __enter__(self) -> "Newsroom":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A client may fetch all feeds at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], newsroom: Newsroom) -> None:
        self.newsroom = newsroom
        super().__init__(address, _Handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Print no traceback of a client that closed its connection."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "SampleNewsroom/1"
    timeout = 30

    def do_GET(self) -> None:
        path, outlet = urlsplit(self.path).path, outlet_of(self.headers.get("Host", ""))
        if outlet is None:
            self._newsroom(path)
        elif path == outlet.site_path:
            shown = self.server.newsroom.published.shown(outlet, self.server.newsroom.clock())
            self._answer(render_home(outlet, shown[:ON_HOME_PAGE]), HTML)
        elif path == outlet.feed_path:
            self._feed(outlet)
        elif path == outlet.listed_path:
            self._redirect(outlet.site(self.server.newsroom.port) + outlet.feed_path)
        elif path == ICON_PATH:
            self._answer(render_icon(outlet), SVG)
        else:
            self._article(outlet, path)

    do_HEAD = do_GET

    def _newsroom(self, path: str) -> None:
        """Answer a request to the server's own address."""
        port = self.server.newsroom.port
        slug, _, rest = path.removeprefix("/").partition("/")
        if path == "/":
            self._answer(render_front_page(port), HTML)
        elif path == "/opml.xml":
            self._answer(render_opml(port), "text/x-opml; charset=utf-8")
        elif slug in BY_SLUG:
            self._redirect(f"{BY_SLUG[slug].site(port)}/{rest}")
        else:
            self._fail(HTTPStatus.NOT_FOUND)

    def _article(self, outlet: Outlet, path: str) -> None:
        newsroom = self.server.newsroom
        article = path.removesuffix(SUFFIX)
        shown = newsroom.published.at(outlet, article, newsroom.clock())
        if shown is None:
            self._fail(HTTPStatus.NOT_FOUND)
        elif article == path:
            self._answer(render_article(outlet, shown), HTML)
        elif has_picture(outlet, shown.article):
            self._answer(render_picture(outlet, shown.article), SVG)
        else:
            self._fail(HTTPStatus.NOT_FOUND)

    def _feed(self, outlet: Outlet) -> None:
        if outlet.oddity == "dead":
            return self._fail(HTTPStatus.INTERNAL_SERVER_ERROR)
        if outlet.oddity == "slow":
            time.sleep(SLOW_SECONDS)
        newsroom = self.server.newsroom
        shown = newsroom.published.shown(outlet, newsroom.clock())
        changed = max((article.version.since for article in shown), default=OPENED)
        text = render_feed(outlet, outlet.site(newsroom.port), shown, changed)
        if outlet.oddity == "broken":
            text = _break(text)
        self._answer(text, CONTENT_TYPES[outlet.format], changed)
        return None

    def _answer(self, text: str, kind: str, changed: datetime | None = None) -> None:
        body = text.encode()
        etag = f'"{hashlib.blake2b(body, digest_size=8).hexdigest()}"'
        fresh = self._has_current_copy(etag, changed)
        self.send_response(HTTPStatus.NOT_MODIFIED if fresh else HTTPStatus.OK)
        self.send_header("ETag", etag)
        if changed:
            self.send_header("Last-Modified", format_datetime(changed, usegmt=True))
        if fresh:
            self.end_headers()
        else:
            self._send(body, kind)

    def _has_current_copy(self, etag: str, changed: datetime | None) -> bool:
        """Return True if the client's copy is current. If-None-Match takes precedence over
        If-Modified-Since (RFC 9110, 13.1)."""
        if tags := self.headers.get("If-None-Match"):
            return etag in (tag.strip().removeprefix("W/") for tag in tags.split(","))
        since = self.headers.get("If-Modified-Since")
        if not since or not changed:
            return False
        try:
            return changed <= parsedate_to_datetime(since)
        except (ValueError, TypeError):
            return False

    def _redirect(self, target: str) -> None:
        self.send_response(HTTPStatus.MOVED_PERMANENTLY)
        self.send_header("Location", target)
        self._send(b"", HTML)

    def _fail(self, status: HTTPStatus) -> None:
        self.send_response(status)
        self._send(f"{status.value} {status.phrase}\n".encode(), "text/plain; charset=utf-8")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the reader's terminal belongs to the reader's own log."""


def outlet_of(host: str) -> Outlet | None:
    """Return the outlet of a Host header, or None for any other host."""
    name = host.partition(":")[0].lower().rstrip(".")
    slug, _, domain = name.partition(".")
    return BY_SLUG.get(slug) if domain == "localhost" else None


def _break(text: str) -> str:
    """Make an RSS feed malformed, as real ones are: a bare ampersand and no end."""
    return text[: text.rindex("</item>")].replace("and ", "& ", 1)
