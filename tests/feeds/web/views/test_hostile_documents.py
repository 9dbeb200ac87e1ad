"""Readers who look at hostile documents slow nobody down, in the servers that are deployed."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import httpx
import psutil
import pytest

from tests.feeds.ingest.hostile import FEEDS, LISTS
from tests.feeds.ingest.server import reply, serve
from tests.services import free_port
from tests.workers import migrate

ROOT = Path(__file__).resolve().parents[4]
SERVERS = {
    "gunicorn": ["-m", "gunicorn", "-k", "gthread", "-w", "1", "--threads", "4", "-b"],
    "daphne": ["-m", "daphne", "-b"],
}
MAKE = """
from accounts.models import SigninToken
from tests.make import make_user
print(SigninToken.issue(make_user("ada")), SigninToken.issue(make_user("bob")))
"""
COSTLY = "HTML: short, with formatting"
MAX_MORE_MEGABYTES = 120


@contextmanager
def web(kind: str, data: Path) -> Iterator[tuple[str, psutil.Process, list[str]]]:
    """A server's address and process, and sign-in links of two readers."""
    port = free_port()
    env = os.environ | {
        "DATA": str(data),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "FETCH_ALLOW_PRIVATE": "127.0.0.0/8",
        "SITE_URL": "",
    }
    manage = [sys.executable, "manage.py"]
    migrate(env)
    made = subprocess.run(
        [*manage, "shell", "-v", "0", "-c", MAKE],
        cwd=ROOT,
        env=env,
        check=True,
        stdout=subprocess.PIPE,
    )
    application = "ainews_site.wsgi" if kind == "gunicorn" else "ainews_site.asgi:application"
    place = [f"127.0.0.1:{port}"] if kind == "gunicorn" else ["127.0.0.1", "-p", str(port)]
    command = [sys.executable, *SERVERS[kind], *place, application]
    with subprocess.Popen(command, cwd=ROOT, env=env, stderr=subprocess.DEVNULL) as process:
        try:
            wait_for(f"http://127.0.0.1:{port}/health")
            address = f"http://127.0.0.1:{port}"
            yield address, serving(process.pid), made.stdout.decode().split()
        finally:
            process.terminate()


def serving(pid: int) -> psutil.Process:
    process = psutil.Process(pid)
    return next(iter(process.children()), process)  # gunicorn's worker


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            if httpx.get(url).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.1)
    raise AssertionError("the server does not answer")


def signed_in(base: str, link: str) -> httpx.Client:
    client = httpx.Client(base_url=base, timeout=120, follow_redirects=True)
    client.get(f"/signin/{link}")
    assert client.get("/sources/add/").status_code == 200
    return client


def add(client: httpx.Client, url: str) -> str:
    token = client.cookies["csrftoken"]
    return client.post("/sources/add/", data={"url": url, "csrfmiddlewaretoken": token}).text


@pytest.mark.parametrize("kind", SERVERS)
def test_a_hostile_feed_costs_its_reader_a_message_and_others_nothing(
    kind: str, tmp_path: Path
) -> None:
    bodies = {name: FEEDS[name]() for name in ("a million entries", COSTLY)}
    started = threading.Event()

    def costly(handler: BaseHTTPRequestHandler) -> None:
        reply(200, bodies[COSTLY])(handler)
        started.set()

    routes = {
        "/bomb": reply(200, bodies["a million entries"]),
        "/costly": costly,
        "/good": reply(200, b"<rss><channel><title>Good</title><item/></channel></rss>"),
    }
    with serve(routes) as publisher, web(kind, tmp_path) as (base, process, links):
        ada, bob = (signed_in(base, link) for link in links)
        assert "Good" in add(ada, publisher.url + "/good")
        before, cpu = process.memory_info().rss, process.cpu_times()

        assert "more than 200,000 elements" in add(ada, publisher.url + "/bomb")

        answers: list[str] = []
        waiting = threading.Thread(
            target=lambda: answers.append(add(ada, publisher.url + "/costly"))
        )
        waiting.start()
        assert started.wait(30)
        refused = httpx.Client(base_url=base, cookies=ada.cookies, timeout=120)
        assert "previous request is still running" in add(refused, publisher.url + "/good")
        asked = time.monotonic()
        assert "Good" in add(bob, publisher.url + "/good")
        assert time.monotonic() - asked < 15
        waiting.join()

        after = process.cpu_times()
        assert process.memory_info().rss - before < MAX_MORE_MEGABYTES * 2**20
        assert after.user - cpu.user < 4.0  # the child worked; the body was fetched here
        token = ada.cookies["csrftoken"]
        answer = ada.post(
            "/sources/import/",
            data={"csrfmiddlewaretoken": token},
            files={"opml": ("a.opml", LISTS["a million outlines"](), "text/x-opml")},
        )
        assert answer.status_code == 422
        assert "more than 200,000 elements" in answer.text
        assert answers
