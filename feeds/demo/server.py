"""Serves the sample newsroom over real HTTP: feeds, pages, and feeds that misbehave."""

import hashlib
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import urlsplit

from feeds.demo.edition import LIVE_INTERVAL, make_edition
from feeds.demo.outlets import OUTLETS, SAMPLE_NOTICE, Outlet
from feeds.demo.render import (
    CONTENT_TYPES,
    Shown,
    render_article,
    render_feed,
    render_home,
    render_opml,
)

HTML = "text/html; charset=utf-8"
SLOW_SECONDS = 3.0


class Newsroom:
    """The newsroom on a port of its own: `start()` it in a thread or `serve_forever()`.

    `port` 0 takes a free one; `clock` tells the present (aware, UTC), for tests.
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
        self.articles = make_edition(clock(), seed, interval)
        self._by_path = {article.path: article for article in self.articles}
        self._outlets = {outlet.slug: outlet for outlet in OUTLETS}
        self._server = _Server((host, port), self)
        self.base_url = f"http://{host}:{self._server.server_port}"

    def start(self) -> "Newsroom":
        Thread(target=self.serve_forever, name="newsroom", daemon=True).start()
        return self

    def serve_forever(self) -> None:
        self._server.serve_forever(poll_interval=0.05)

    def close(self) -> None:
        """Frees the port; also what a failed start needs."""
        self._server.server_close()

    def stop(self) -> None:
        self._server.shutdown()
        self.close()

    def __enter__(self) -> "Newsroom":
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def shown(self, outlet: Outlet) -> list[Shown]:
        """What the outlet has published by now, newest first."""
        now = self.clock()
        seen = (
            Shown(article, version)
            for article in self.articles
            if article.outlet == outlet.slug and (version := article.seen_at(now))
        )
        return sorted(seen, key=lambda one: one.article.published, reverse=True)

    def outlet_at(self, path: str) -> Outlet | None:
        return self._outlets.get(path.split("/")[1])

    def article_at(self, path: str) -> Shown | None:
        article = self._by_path.get(path)
        version = article and article.seen_at(self.clock())
        return Shown(article, version) if article and version else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # A whole list of feeds may be asked for at once.
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], newsroom: Newsroom) -> None:
        self.newsroom = newsroom
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    server_version = "SampleNewsroom/1"
    timeout = 30

    def do_GET(self) -> None:
        newsroom, path = self.server.newsroom, urlsplit(self.path).path
        outlet = newsroom.outlet_at(path)
        shown = newsroom.article_at(path)
        if path == "/opml.xml":
            self._answer(render_opml(newsroom.base_url), "text/x-opml; charset=utf-8")
        elif path == "/":
            self._answer(_front_page(), HTML)
        elif outlet is None:
            self._fail(HTTPStatus.NOT_FOUND)
        elif shown is not None:
            self._answer(render_article(outlet, shown), HTML)
        elif path == outlet.site_path:
            self._answer(render_home(outlet, newsroom.base_url, newsroom.shown(outlet)), HTML)
        elif path == outlet.feed_path:
            self._feed(outlet)
        elif path == outlet.listed_path:
            self._redirect(newsroom.base_url + outlet.feed_path)
        else:
            self._fail(HTTPStatus.NOT_FOUND)

    do_HEAD = do_GET

    def _feed(self, outlet: Outlet) -> None:
        if outlet.oddity == "dead":
            return self._fail(HTTPStatus.INTERNAL_SERVER_ERROR)
        if outlet.oddity == "slow":
            time.sleep(SLOW_SECONDS)
        newsroom = self.server.newsroom
        shown = newsroom.shown(outlet)
        changed = max(
            (one.version.since for one in shown), default=datetime(2026, 1, 1, tzinfo=UTC)
        )
        text = render_feed(outlet, newsroom.base_url, shown, changed)
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
        """RFC 9110, 13.1: If-None-Match wins over If-Modified-Since."""
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


def _front_page() -> str:
    rows = "".join(f'<li><a href="{o.site_path}">{o.name}</a>: {o.voice}</li>' for o in OUTLETS)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{SAMPLE_NOTICE}'
        f'</title></head><body><h1>{SAMPLE_NOTICE}</h1><ul>{rows}</ul><p><a href="/opml.xml">'
        "All feeds as OPML</a></p></body></html>"
    )


def _break(text: str) -> str:
    """Malformed as in the wild: a bare ampersand, then the document just stops."""
    return text[: text.rindex("</item>")].replace("and ", "& ", 1)
