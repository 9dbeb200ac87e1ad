"""Requests beyond what a server can serve are refused at once; what runs is finished."""

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from asgiref.testing import ApplicationCommunicator

from ainews_site import load_gate
from ainews_site.load_gate import (
    BUSY,
    FEW,
    LONG,
    RETRY_AFTER,
    SHORT,
    SLOW,
    STANDING,
    LoadGate,
    WaitLimit,
)
from ainews_site.wait_limit import seconds_waited
from tests.ainews_site.test_nginx import PLAIN_SITE, Nginx, Web, site_data
from tests.ainews_site.test_nginx import pytestmark as needs_nginx
from tests.nginx_pages import SENTENCES, page
from tests.services import Server

ROOT = Path(__file__).resolve().parents[2]
SLOW_SITE = """
import pathlib, time
def application(environ, start_response):
    until = time.monotonic() + 60
    while environ["PATH_INFO"] == "/river/" and time.monotonic() < until:
        if pathlib.Path("finish").exists():
            break
        time.sleep(0.05)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]
"""


LIMITED_SITE = """
import os, time
os.environ["DJANGO_SETTINGS_MODULE"] = "ainews_site.settings"
import django
django.setup()
from ainews_site.wait_limit import WaitGate

def pages(environ, start_response):
    time.sleep(0.4)
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"done"]

application = WaitGate(pages)
"""


def answers_of(get: Callable[[str], httpx.Response], paths: list[str]) -> list[tuple[Any, float]]:
    """The answers to requests that are sent at once, with the seconds that each took."""

    def timed(path: str) -> tuple[httpx.Response, float]:
        started = time.monotonic()
        return get(path), time.monotonic() - started

    with ThreadPoolExecutor(len(paths)) as clients:
        return list(clients.map(timed, paths))


class SlowSite(Server):
    """gunicorn as in deploy/, with pages that take until `finish` is called."""

    name = "slow"
    is_humble = False

    def command(self) -> list[str]:
        (self.folder / "slow_site.py").write_text(SLOW_SITE)
        bind = ["-b", f"127.0.0.1:{self.port}", "-k", "gthread", "-w", "1", "--threads", "4"]
        return [sys.executable, "-m", "gunicorn", *bind, "slow_site:application"]

    def finish(self) -> None:
        (self.folder / "finish").touch()


class LimitedSite(SlowSite):
    """gunicorn with the limit of ainews_site.wait_limit."""

    def command(self) -> list[str]:
        (self.folder / "limited_site.py").write_text(LIMITED_SITE)
        bind = ["-b", f"127.0.0.1:{self.port}", "-k", "gthread", "-w", "1", "--threads", "2"]
        path = f"PYTHONPATH={ROOT}"
        return ["env", path, sys.executable, "-m", "gunicorn", *bind, "limited_site:application"]


class SmallNginx(Nginx):
    """Nginx that lets six requests run and wait."""

    def _replacements(self) -> list[tuple[str, str]]:
        return [*super()._replacements(), ("max_conns=128", "max_conns=6")]


@contextmanager
def small_site() -> Iterator[tuple[SlowSite, str]]:
    with ExitStack() as stack:
        pages, nginx = stack.enter_context(SlowSite()), SmallNginx(PLAIN_SITE)
        nginx.pages = nginx.live = pages.port
        stack.enter_context(nginx)
        yield pages, f"http://127.0.0.1:{nginx.port}"


def fill(
    clients: ThreadPoolExecutor, url: str
) -> tuple[set[Future[httpx.Response]], list[httpx.Response]]:
    """Return the six requests that run and wait, and the answers to those that were refused."""
    requests = {clients.submit(httpx.get, f"{url}/river/", timeout=90) for _ in range(20)}
    refused = set(islice(as_completed(requests, timeout=30), 14))
    return requests - refused, [request.result() for request in refused]


@needs_nginx
def test_nginx_refuses_at_once_and_finishes_what_runs() -> None:
    with small_site() as (pages, url), ThreadPoolExecutor(20) as clients:
        running, refused = fill(clients, url)
        refused.append(httpx.get(f"{url}/api/v1/items/", timeout=30))

        assert {answer.status_code for answer in refused} == {503}
        pages.finish()
        assert [request.result().status_code for request in running] == [200] * 6
        assert {answer.headers["Retry-After"] for answer in refused} == {str(RETRY_AFTER)}
        texts = {answer.headers["Content-Type"].partition(";")[0]: answer for answer in refused}
        assert texts["application/json"].json() == {"detail": SENTENCES["503"][1]}
        assert texts["text/html"].text == page("503")


@needs_nginx
def test_health_is_checked_while_nginx_refuses_pages() -> None:
    with small_site() as (pages, url), ThreadPoolExecutor(22) as clients:
        running, _ = fill(clients, url)
        # Requests that change something have connections of their own. Both wait for a thread.
        running.add(clients.submit(httpx.post, f"{url}/signout/", timeout=90))
        running.add(clients.submit(httpx.get, f"{url}/health", timeout=90))
        assert httpx.get(f"{url}/river/", timeout=30).status_code == 503

        pages.finish()
        assert [request.result().status_code for request in running] == [200] * 8


@needs_nginx
def test_nginx_says_the_same_while_gunicorn_restarts() -> None:
    with small_site() as (pages, url):
        pages.kill()
        answer = httpx.get(f"{url}/river/")

        assert (answer.status_code, answer.headers["Retry-After"]) == (503, str(RETRY_AFTER))
        assert answer.text == page("503")


def ask_without_a_pause(client: httpx.Client, clients: int, seconds: float) -> list[Any]:
    """Return (start, seconds, status) of each request."""
    began = time.monotonic()

    def ask(_: int) -> list[tuple[float, float, int]]:
        asked = []
        while (started := time.monotonic()) - began < seconds:
            status = client.get("/river/").status_code
            asked.append((started - began, time.monotonic() - started, status))
        return asked

    with ThreadPoolExecutor(clients) as pool:
        return [request for asked in pool.map(ask, range(clients)) for request in asked]


@needs_nginx
def test_what_waits_too_long_for_gunicorn_is_refused() -> None:
    """40 clients and two threads, which serve five pages a second: without a limit, each page would
    take eight seconds."""
    with ExitStack() as stack:
        pages, nginx = stack.enter_context(LimitedSite()), Nginx(PLAIN_SITE)
        nginx.pages = nginx.live = pages.port
        url = f"http://127.0.0.1:{stack.enter_context(nginx).port}"
        limits = httpx.Limits(max_connections=100)
        client = stack.enter_context(httpx.Client(base_url=url, timeout=30, limits=limits))

        requests = ask_without_a_pause(client, 40, 14)

    later = [request for request in requests if request[0] > 8]
    assert {status for _, _, status in requests} == {200, 503}
    assert max(spent for _, spent, _ in later) < 4
    assert sum(status == 200 for _, _, status in later) > 10, "it goes on serving"


def test_a_burst_may_wait_longer_than_a_queue_that_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr(load_gate.time, "monotonic", lambda: now[0])
    limit = WaitLimit()

    def serve(requests: int) -> None:
        for _ in range(requests):
            limit.allows(SHORT)

    serve(FEW)
    assert limit.allows(LONG) and not limit.allows(LONG + 1)
    now[0] += STANDING + 0.1
    serve(FEW)
    assert not limit.allows(SHORT + 0.1)
    assert limit.allows(SHORT)
    assert limit.allows(0.0)  # the queue is empty again
    assert limit.allows(LONG)


def test_what_waits_for_a_few_slow_requests_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that has just started may need seconds for each of its first requests."""
    now = [100.0]
    monkeypatch.setattr(load_gate.time, "monotonic", lambda: now[0])
    limit = WaitLimit()

    for waited in (0.0, 3.0, 6.0, 9.0):
        now[0] = 100.0 + waited
        assert limit.allows(waited)
    assert not limit.allows(SLOW + 0.1)


@pytest.mark.parametrize(
    ("environ", "has_waited"),
    [
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_REQUEST_START": "t={}"}, True),
        ({"REMOTE_ADDR": "", "HTTP_X_REQUEST_START": "t={}"}, True),
        ({"REMOTE_ADDR": "192.0.2.1", "HTTP_X_REQUEST_START": "t={}"}, False),
        ({"REMOTE_ADDR": "127.0.0.1", "HTTP_X_REQUEST_START": "soon"}, False),
        ({"REMOTE_ADDR": "127.0.0.1"}, False),
    ],
)
def test_only_this_machine_says_how_long_a_request_has_waited(
    environ: dict[str, str], has_waited: bool
) -> None:
    environ = {name: value.format(time.time() - 10) for name, value in environ.items()}

    assert seconds_waited(environ) == (pytest.approx(10, abs=1) if has_waited else 0)


class SlowApplication:
    """An application whose requests run until `finish` is set."""

    def __init__(self) -> None:
        self.finish, self.running = asyncio.Event(), 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        if scope["path"] not in ("/health", "/static/x.css"):
            await self.finish.wait()
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"done"})


def request_to(gate: LoadGate, path: str = "/river/", method: str = "GET") -> Any:
    scope = {"type": "http", "path": path, "method": method, "query_string": b"a=%22%3Cb"}
    return ApplicationCommunicator(gate, scope)


async def answer_to(request: Any) -> tuple[int, dict[str, str], str]:
    await request.send_input({"type": "http.request"})
    start, body = await request.receive_output(5), await request.receive_output(5)
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, body["body"].decode()


async def test_the_gate_lets_some_run_some_wait_and_refuses_the_others() -> None:
    slow = SlowApplication()
    gate = LoadGate(slow, at_once=2, waiting=3)
    requests = [asyncio.create_task(answer_to(request_to(gate))) for _ in range(5)]
    await asyncio.sleep(0.1)
    assert slow.running == 2

    status, headers, page = await answer_to(request_to(gate))
    assert (status, headers["retry-after"]) == (503, str(RETRY_AFTER))
    assert BUSY.happened in page and '<a href="/river/?a=%22%3Cb">Try again' in page
    status, headers, text = await answer_to(request_to(gate, "/api/v1/items/"))
    assert (status, json.loads(text)) == (503, {"detail": BUSY.happened})
    status, _, text = await answer_to(request_to(gate, method="HEAD"))
    assert (status, text) == (503, "")
    for path in ("/health", "/static/x.css"):
        assert (await answer_to(request_to(gate, path)))[0] == 200

    slow.finish.set()
    assert [status for status, _, _ in await asyncio.gather(*requests)] == [200] * 5
    assert (await answer_to(request_to(gate)))[0] == 200


async def test_a_request_waits_for_its_turn_for_a_limited_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(load_gate, "LONG", 0.2)
    slow = SlowApplication()
    gate = LoadGate(slow, at_once=1, waiting=1)
    first = asyncio.create_task(answer_to(request_to(gate)))
    await asyncio.sleep(0.05)

    for _ in range(2):  # the room of the first is free again
        assert (await answer_to(request_to(gate)))[0] == 503
    slow.finish.set()
    assert (await first)[0] == 200


def test_daphne_answers_all_at_once_or_refuses_them(tmp_path: Path) -> None:
    """The web server of `serve`, with room for three requests."""
    daphne = ["daphne", "-v0", "-b", "127.0.0.1", "-p", "PORT", "ainews_site.asgi:application"]
    limits = {"REQUESTS_AT_ONCE": "1", "REQUESTS_WAITING": "2"}
    with ExitStack() as stack:
        web = stack.enter_context(Web(daphne, site_data(tmp_path), limits))
        address = f"http://127.0.0.1:{web.port}"
        client = stack.enter_context(httpx.Client(base_url=address, timeout=30))

        answers = answers_of(client.get, ["/signin/"] * 40)
        statuses = Counter(answer.status_code for answer, _ in answers)

        assert set(statuses) == {200, 503} and statuses[200] >= 3
        refused = next(answer for answer, _ in answers if answer.status_code == 503)
        assert BUSY.happened in refused.text
        assert client.get("/signin/").status_code == 200
