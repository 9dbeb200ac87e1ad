"""Pages on other hosts, in a real browser: a UI that uses the API with a token, and a CDN."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from playwright.sync_api import Browser, Page

from tests.feeds.ingest.server import Answer, reply, serve
from tests.prepared import migrated_sqlite
from tests.services import free_port, is_open
from tests.workers import ROOT

pytestmark = pytest.mark.browser
NAMES = ("ui", "stranger")
"""Hosts that are of other sites to Chromium. Both are this machine."""
READER = """
from accounts.models import ApiToken, SigninToken, User
reader = User.objects.create_user("reader")
print(ApiToken.issue(reader, "page"), SigninToken.issue(reader))
"""
USE_API = """async ([api, token]) => {
  const headers = {Authorization: `Bearer ${token}`};
  const first = await fetch(`${api}/api/v1/sources/`, {headers});
  const etag = first.headers.get("ETag");
  headers["If-None-Match"] = etag;
  const again = await fetch(`${api}/api/v1/sources/`, {headers});
  const hello = await new Promise((resolve) => {
    const socket = new WebSocket(`${api.replace("http", "ws")}/ws/`, ["ainews", token]);
    socket.onmessage = (event) => resolve(`${socket.protocol} ${JSON.parse(event.data).kind}`);
    socket.onclose = (event) => resolve(`closed ${event.code}`);
  });
  return [first.status, again.status, hello];
}"""
PAGE_OF_OTHERS = """async (api) => {
  const attempt = (what) => what().then((answer) => answer.status, () => "refused");
  const socket = await new Promise((resolve) => {
    const open = new WebSocket(`${api.replace("http", "ws")}/ws/`);
    open.onmessage = () => resolve("open");
    open.onclose = (event) => resolve(event.code);
  });
  return [
    await attempt(() => fetch(`${api}/api/v1/sources/`, {credentials: "include"})),
    await attempt(() => fetch(`${api}/signin/`)),
    socket,
  ];
}"""


@contextmanager
def running(data: Path, port: int, **settings: str) -> Iterator[list[str]]:
    """Run daphne with a reader. Yields an API token and a sign-in token."""
    shutil.copy(migrated_sqlite(), data)
    none = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "QUEUE_URL"), "")
    env = os.environ | none | {"DATA": str(data), "LOG_LEVEL": "WARNING"} | settings
    shell = [sys.executable, "manage.py", "shell", "-v0", "-c", READER]
    made = subprocess.run(shell, env=env, cwd=ROOT, check=True, capture_output=True, text=True)
    daphne = [str(Path(sys.executable).with_name("daphne")), "-v0", "-p", str(port)]
    command = [*daphne, "ainews_site.asgi:application"]
    process = subprocess.Popen(command, env=env, cwd=ROOT)
    try:
        until = time.monotonic() + 60
        while not is_open(port) and time.monotonic() < until:
            time.sleep(0.1)
        yield made.stdout.split()
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def empty_page(handler: BaseHTTPRequestHandler) -> None:
    reply(200, b"<!doctype html><title>UI</title>", Content_Type="text/html")(handler)


def test_a_page_of_another_origin_uses_api_and_socket_by_its_token(
    browser: Browser, tmp_path: Path
) -> None:
    port = free_port()
    api = f"http://127.0.0.1:{port}"
    with serve({"/": empty_page}) as server:
        ui, stranger = (server.url.replace("127.0.0.1", f"{name}.localhost") for name in NAMES)
        with running(tmp_path, port, CORS_ORIGINS=ui, API_HOST="localhost") as tokens:
            context = browser.new_context()
            page = context.new_page()
            page.goto(f"{api}/signin/{tokens[1]}")
            page.get_by_role("button").first.click()
            page.goto(ui)
            assert page.evaluate(USE_API, [api, tokens[0]]) == [200, 304, "ainews hello"]
            # The reader's cookies are of no use to it, and its own socket needs the token.
            assert page.evaluate(PAGE_OF_OTHERS, api) == ["refused", "refused", 1006]
            page.goto(stranger)
            assert page.evaluate(PAGE_OF_OTHERS, api) == ["refused", "refused", 1006]
            context.close()
            check_api_host(port, tokens[0])


def check_api_host(port: int, token: str) -> None:
    """API_HOST answers the API alone, whatever the port."""
    on_host = f"http://localhost:{port}"
    assert status(f"{on_host}/api/v1/sources/", token) == 200
    assert status(f"{on_host}/health", "") == 200
    assert [status(f"{on_host}{path}", "") for path in ("/", "/signin/", "/admin/")] == [404] * 3
    assert status(f"http://127.0.0.1:{port}/signin/", "") == 200


def status(url: str, token: str) -> int:
    request = Request(url, headers={"Authorization": f"Bearer {token}"} if token else {})
    try:
        with urlopen(request, timeout=10) as answer:
            return int(answer.status)
    except HTTPError as error:
        return error.code


class Everything(dict[str, Answer]):
    """The routes of a server that answers each path in the same way."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.answer = answer

    def get(self, path: str, default: Any = None) -> Answer:
        return self.answer


def test_static_files_come_from_a_cdn(browser: Browser, tmp_path: Path) -> None:
    """The CDN fetches them from the site, as such services do, and passes the headers on."""
    port, requests = free_port(), list[str]()

    def pull(handler: BaseHTTPRequestHandler) -> None:
        requests.append(handler.path)
        with urlopen(f"http://127.0.0.1:{port}{handler.path}", timeout=10) as answer:
            body = answer.read()
            handler.send_response(200)
            for name in ("Content-Type", "Cache-Control", "Access-Control-Allow-Origin"):
                handler.send_header(name, answer.headers.get(name, ""))
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

    with serve(Everything(pull)) as cdn:
        host = cdn.url.replace("127.0.0.1", "localhost")
        with running(tmp_path, port, STATIC_URL=f"{host}/static/") as tokens:
            context = browser.new_context()
            problems: list[str] = []
            page = context.new_page()
            page.on("console", lambda message: problems.append(message.text))
            page.on("pageerror", lambda error: problems.append(str(error)))
            page.goto(f"http://127.0.0.1:{port}/signin/{tokens[1]}")
            page.get_by_role("button").first.click()
            page.goto(f"http://127.0.0.1:{port}/river/")
            page.wait_for_load_state("networkidle")
            check_page(page, host)
            assert problems == []
            context.close()
    assert any(path.endswith(".css") for path in requests)
    assert any("js/worker" in path for path in requests)


def check_page(page: Page, host: str) -> None:
    links = page.evaluate(
        "[...document.querySelectorAll('link[rel=stylesheet],link[rel=icon],script[src]')]"
        ".map((node) => node.href || node.src)"
    )
    assert links
    assert all(link.startswith(f"{host}/static/") for link in links)
    assert page.evaluate("getComputedStyle(document.querySelector('.topbar')).display") != "block"
    manifest: dict[str, Any] = page.evaluate("fetch('/manifest.webmanifest').then((a) => a.json())")
    assert all(icon["src"].startswith(f"{host}/static/") for icon in manifest["icons"])
    # The service worker is of this site; its script and the files of the offline page are not.
    state = page.evaluate("navigator.serviceWorker.ready.then((worker) => worker.active.scriptURL)")
    assert state.endswith("/worker.js")
    cached = page.evaluate(
        "caches.keys().then((names) => caches.open(names[0]))"
        ".then((cache) => cache.keys()).then((keys) => keys.map((key) => key.url))"
    )
    assert any(url.startswith(f"{host}/static/css/") for url in cached)
