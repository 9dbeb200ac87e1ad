"""The site with a Redis that works, stops, comes back, or cannot be used."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.ainews_site.infra.test_replicas import answers, serving, wait_until
from tests.services import Redis, free_port, missing
from tests.workers import migrate, publishing

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.skipif("redis-server" in missing(), reason="needs redis-server")


def env_of(data: Path, redis: str, **more: str) -> dict[str, str]:
    places = {"DATA": str(data), "DATABASE_URL": "", "DATABASE_REPLICA_URLS": "", "DEBUG": ""}
    return os.environ | places | {"REDIS_URL": redis} | more


def manage(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    migrate(env_of(folder, ""))
    return folder


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("http://:secret@host:6379/0", "must be like redis://:password@host:6379/0"),
        ("redis://:secret@host:abc/0", "needs a port between 1 and 65535"),
        ("redis://:secret@host:99999/0", "needs a port between 1 and 65535"),
        ("redis://:secret@host:6379/zero", "must end in a database number"),
        ("secret", "must be like redis://"),
        ("unix://", "needs a path"),
    ],
)
def test_an_invalid_redis_url_is_one_clear_sentence(tmp_path: Path, url: str, says: str) -> None:
    done = manage(env_of(tmp_path, url), "check")

    assert done.returncode == 1
    assert done.stderr.startswith("REDIS_URL ")
    assert says in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1


def doctor(data: Path, url: str) -> str:
    done = manage(env_of(data, url), "doctor")
    assert "Traceback" not in done.stderr
    (line,) = [line for line in done.stdout.splitlines() if line[4:].startswith("cache")]
    return line


def test_doctor_says_what_is_wrong_and_what_to_do_but_no_password(data: Path) -> None:
    with ExitStack() as stack:
        locked = stack.enter_context(Redis(requirepass="right-one"))
        full = stack.enter_context(Redis(maxmemory="100kb", **{"maxmemory-policy": "noeviction"}))
        gone = free_port()

        assert doctor(data, locked.url) == "ok  cache"
        refused = doctor(data, locked.url.replace("right-one", "wrong-one"))
        assert refused == (
            f"!!  cache: Redis at 127.0.0.1:{locked.port} rejects the password. Check the user and"
            " the password in REDIS_URL. Pages and ingest continue without it."
        )
        assert "is out of memory. Raise its maxmemory" in doctor(data, full.url)
        away = doctor(data, f"redis://:secret@127.0.0.1:{gone}/0")
        assert f"Redis at 127.0.0.1:{gone} does not answer. Is it running?" in away
        assert "secret" not in away


@pytest.fixture
def redis() -> Iterator[Redis]:
    with Redis() as server:
        yield server


def test_health_is_degraded_while_redis_is_down(data: Path, redis: Redis) -> None:
    with serving(env_of(data, redis.url)) as address:

        def health() -> dict[str, str]:
            answer = httpx.get(f"{address}/health", timeout=20)
            assert answer.status_code == 200
            return dict(answer.json())

        assert health() == {"status": "ok", "redis": "ok"}
        redis.kill()
        wait_until(lambda: health() == {"status": "degraded", "redis": "does not answer"})
        redis.start()
        wait_until(lambda: health() == {"status": "ok", "redis": "ok"})


MAKE = """
from accounts.models import ApiToken
from tests.make import make_item, make_source, make_story, make_user
user = make_user(USER)
source = make_source(URL, reader=user, url=URL)
for n in range(3):
    make_story(make_item(source, f"A model of the kind {n}"))
print(ApiToken.issue(user, "test"))
"""


@contextmanager
def gunicorn(env: dict[str, str]) -> Iterator[str]:
    """Start two web processes, as on a server."""
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "-w", "2", "--threads", "4", "-b"]
    web = subprocess.Popen(
        [*command, f"127.0.0.1:{port}", "ainews_site.wsgi:application"], cwd=ROOT, env=env
    )
    try:
        address = f"http://127.0.0.1:{port}"
        wait_until(lambda: answers(address))
        yield address
    finally:
        web.terminate()
        web.wait(30)


@dataclass
class Reading:
    """A reader who requests several lists, one after the other."""

    client: httpx.Client
    seen: list[tuple[str, int, float]] = field(default_factory=list)
    is_over: bool = False
    paths = ("/items/", "/stories/", "/sources/", "/search/?q=model", "/items/?unread=1")

    def go_on(self) -> None:
        while not self.is_over:
            for path in self.paths:
                started = time.monotonic()
                answer = self.client.get(path)
                self.seen.append((path, answer.status_code, time.monotonic() - started))

    def failed(self) -> list[tuple[str, int, float]]:
        return [one for one in self.seen if one[1] != 200 or one[2] > 5]


def reader_of(env: dict[str, str], name: str, url: str) -> str:
    """Return an API token of a new reader who follows one source."""
    code = MAKE.replace("USER", repr(name)).replace("URL", repr(url))
    done = manage(env, "shell", "-v", "0", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def program(address: str, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"{address}/api/v1", headers=headers, timeout=30)


def unread(client: httpx.Client) -> int:
    return int(client.get("/sources/").json()[0]["unread"])


def test_pages_and_ingest_work_while_redis_is_down(data: Path, redis: Redis) -> None:
    with publishing(servers=1, feeds=1, entries=5) as outlets, ExitStack() as stack:
        env = env_of(data, redis.url, FETCH_ALLOW_PRIVATE="127.0.0.1", FETCH_HOST_PAUSE="0")
        token = reader_of(env, "on and on", outlets.urls[0])
        address = stack.enter_context(gunicorn(env))
        client = stack.enter_context(program(address, token))
        reading = Reading(stack.enter_context(program(address, token)))
        pool = stack.enter_context(ThreadPoolExecutor(1))
        going_on = pool.submit(reading.go_on)

        def news() -> int:
            before = unread(client)
            for path in outlets.entries:
                outlets.publish(path)
            done = manage(env, "poll", *outlets.urls)
            assert done.returncode == 0, done.stderr
            assert "Traceback" not in done.stderr
            return unread(client) - before

        try:
            assert news() == 6
            redis.kill()
            assert [news(), news()] == [1, 1]
            health = httpx.get(f"{address}/health", timeout=20)
            assert health.status_code == 200
            assert health.json() == {"status": "degraded", "redis": "does not answer"}
            redis.start()
            wait_until(lambda: httpx.get(f"{address}/health").json()["status"] == "ok")
            assert news() == 1
        finally:
            reading.is_over = True
        going_on.result(60)
        assert len(reading.seen) > 20
        assert reading.failed() == []


@pytest.mark.parametrize(
    ("options", "password"),
    [
        ({}, None),
        ({"requirepass": "right-one"}, "wrong-one"),
        ({"maxmemory": "100kb", "maxmemory-policy": "noeviction"}, None),
    ],
    ids=["as it should be", "wrong password", "full memory"],
)
def test_what_a_reader_does_shows_at_once_on_each_web_process(
    data: Path, options: dict[str, str], password: str | None
) -> None:
    with Redis(**options) as server, ExitStack() as stack:
        url = server.url.replace("right-one", password) if password else server.url
        env = env_of(data, url)
        name = f"reader {server.port}"
        token = reader_of(env, name, f"https://{server.port}.example/feed")
        sites = [stack.enter_context(gunicorn(env)) for _ in range(2)]
        one, other = (stack.enter_context(program(site, token)) for site in sites)
        items = [item["id"] for item in one.get("/items/").json()["results"]]
        for left in (2, 1):
            assert [unread(one), unread(other)] == [left + 1] * 2
            tags = [site.get("/items/?unread=1").headers["ETag"] for site in (one, other)]
            one.post("/states/", json={"items": [items[left]], "read": True})
            for site, tag in zip((other, one), tags[::-1], strict=True):
                assert unread(site) == left
                answer = site.get("/items/?unread=1", headers={"If-None-Match": tag})
                assert answer.status_code == 200
                assert len(answer.json()["results"]) == left
        marked = other.post("/mark-read/", json={"upto_seq": 10**9}).json()
        assert [unread(one), unread(other)] == [0, 0]
        one.post("/undo/", json=marked)
        assert [unread(one), unread(other)] == [1, 1]
