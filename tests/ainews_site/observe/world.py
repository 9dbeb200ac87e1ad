"""A web server and a worker with planted secrets, which succeed and fail while all is received."""

import json
import os
import secrets
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from tests.ainews_site.observe.receiver import Receiver, receiving
from tests.ainews_site.test_nginx import PASSWORD, ROOT, Web, site_data
from tests.workers import Worker

GUNICORN = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "--threads", "4"]
PLANT = """
import json
from accounts.models import ApiToken, SigninToken, User
from digests.channels.links import FEED, token_for
from digests.models import Channel
from tests.make import make_source
planted = json.loads(PLANTED)
user = User.objects.get()
user.is_staff = user.is_superuser = True
user.save()
make_source("private", reader=user, url=planted["feed"])
hook = Channel.objects.create(user=user, kind="mattermost", target=planted["webhook"])
mail = Channel.objects.create(user=user, kind="email", target="ann.reader@example.org")
feed = Channel.objects.get(kind="feed")
print(json.dumps({
    "api_token": ApiToken.issue(user, "test"), "signin": SigninToken.issue(user),
    "feed_token": token_for(feed, FEED), "hook": hook.pk, "mail": mail.pk,
}))
"""


@dataclass
class World:
    """What happened, and what was written."""

    receiver: Receiver
    data: Path
    settings: dict[str, str]
    planted: dict[str, str]
    web: Web
    worker: Worker
    pages: list[str] = field(default_factory=list)
    answers: dict[str, httpx.Response] = field(default_factory=dict)
    stored: dict[str, Any] = field(default_factory=dict)
    backup: bytes = b""

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(
            base_url=f"http://127.0.0.1:{self.web.port}", headers=headers, timeout=30
        )

    def logs(self) -> str:
        return self.web.log() + self.worker.log()

    def lines(self, text: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in text.splitlines() if line.startswith("{")]

    def note(self, name: str, response: httpx.Response) -> httpx.Response:
        self.answers[name] = response
        self.pages.append(response.text)
        return response


def plant() -> dict[str, str]:
    names = [
        "secret_key",
        "model_key",
        "mail",
        "redis",
        "sentry",
        "otlp",
        "feed",
        "webhook",
        "task",
        "query",
    ]
    return {name: f"planted-{name}-{secrets.token_hex(8)}" for name in names}


def settings_of(url: str, planted: dict[str, str]) -> dict[str, str]:
    port = url.rpartition(":")[2]
    return {
        "DJANGO_SETTINGS_MODULE": "tests.ainews_site.observe.failing_settings",
        "SECRET_KEY": planted["secret_key"],
        "LOG_FORMAT": "json",
        "LOG_LEVEL": "DEBUG",
        "OPENAI_API_KEY": planted["model_key"],
        "OPENAI_BASE_URL": f"{url}/v1",
        "LLM_MODEL": "small",
        "EMAIL_URL": f"smtp://news:{planted['mail']}@127.0.0.1:9",
        "EMAIL_FROM": "news@example.org",
        "SITE_URL": "http://127.0.0.1",
        "REDIS_URL": f"redis://:{planted['redis']}@127.0.0.1:9/0",
        "SENTRY_DSN": f"http://{planted['sentry']}@127.0.0.1:{port}/1",
        "SENTRY_ENVIRONMENT": "test",
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={planted['otlp']}",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "300",
        "TRUSTED_PROXIES": "127.0.0.1",
        "FETCH_ALLOW_PRIVATE": "127.0.0.1",
        "FETCH_PORTS": port,
        "SQLITE_BUSY_TIMEOUT": "0.3",
        "DATABASE_URL": "",
        "QUEUE_URL": "",
    }


@contextmanager
def running(folder: Path) -> Iterator[World]:
    """Run the site and its worker, and let them succeed and fail."""
    with ExitStack() as stack:
        receiver = stack.enter_context(receiving())
        planted, data = plant(), site_data(folder)
        settings = settings_of(receiver.url, planted)
        planted |= {"password": PASSWORD} | _plant_rows(data, receiver.url, planted, settings)
        web = Web([*GUNICORN, "ainews_site.wsgi"], data, settings)
        stack.enter_context(web)
        environment = os.environ | settings | {"DATA": str(data)}
        worker = Worker(environment, "--processes", "1")
        stack.callback(worker.kill_all)
        world = World(receiver, data, settings, planted, web, worker)
        _drive(world)
        yield world


def _plant_rows(
    data: Path, url: str, planted: dict[str, str], settings: dict[str, str]
) -> dict[str, str]:
    addresses = {
        "feed": f"{url}/private/{planted['feed']}/feed.xml?key={planted['feed']}",
        "webhook": f"{url}/hooks/{planted['webhook']}",
    }
    program = f"PLANTED = {json.dumps(addresses)!r}\n{PLANT}"
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", program]
    environment = os.environ | settings | {"DATA": str(data)}
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.strip().splitlines()[-1])
    return {name: str(value) for name, value in found.items()}


def _drive(world: World) -> None:
    planted = world.planted
    with world.client() as client:
        world.note("sign-in page", client.get("/signin/"))
        _sign_in(world, client, "wrong-password-of-mine")
        _sign_in(world, client, planted["password"])
        planted["session"] = client.cookies["sessionid"]
        world.note("river", client.get("/river/"))
        world.note("link", client.get(f"/signin/{planted['signin']}/"))
        world.note("bad link", client.get("/signin/planted-bad-link-0123456789/"))
        world.note("feed", client.get(f"/digest/feed/{planted['feed_token']}.atom"))
        world.note("no feed", client.get("/digest/feed/1-planted-bad-feed-0123.atom"))
        world.note("no page", client.get(f"/nothing/?token={planted['query']}"))
        world.note("crash", client.get(f"/crash/?key={planted['query']}"))
        world.note("webhook", _post(client, f"/digest/delivery/{planted['hook']}/", action="test"))
        world.note("mail", _post(client, f"/digest/delivery/{planted['mail']}/", action="test"))
        world.note("forged", client.post("/ask/", data={"q": "x", "csrfmiddlewaretoken": "no"}))
        world.note("ask", _post(client, "/ask/", q="What was told through Nginx?"))
        world.note("enqueue", client.get("/enqueue/", params={"secret": planted["task"]}))
        for path in ("/admin/", "/admin/feeds/source/", "/admin/feeds/languageuse/"):
            world.note(path, client.get(path))
        with closing(sqlite3.connect(world.data / "ainews.sqlite3")) as other:
            other.execute("BEGIN IMMEDIATE")
            world.note("locked", _post(client, "/signout/"))
    with world.client(Authorization=f"Bearer {planted['api_token']}") as api:
        world.note("api", api.get("/api/v1/sources/"))
    with world.client(Authorization="Bearer ain_planted-wrong-token") as api:
        world.note("wrong token", api.get("/api/v1/sources/"))
    wait_for(lambda: '"task_failed"' in world.worker.log(), world)
    wait_for(lambda: "answer_question" in world.worker.log(), world)
    wait_for(lambda: '"feeds.tasks.poll_batch"' in world.worker.log(), world)
    wait_for(lambda: len(world.receiver.events) >= 2, world)
    _finish(world)


def _finish(world: World) -> None:
    """Stop both, which sends the last spans, and make a backup."""
    world.worker.process.send_signal(signal.SIGTERM)
    world.worker.process.wait(60)
    world.web.stop(signal.SIGTERM)
    command = [sys.executable, "manage.py", "backup", "--folder", str(world.data / "backups")]
    environment = os.environ | world.settings | {"DATA": str(world.data)}
    subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True)
    files = sorted((world.data / "backups").iterdir())
    world.backup = b"".join(file.read_bytes() for file in files)
    with closing(sqlite3.connect(world.data / "ainews.sqlite3")) as database:
        rows = database.execute("SELECT func, result FROM django_q_task WHERE NOT success")
        world.stored = dict(rows)


def _sign_in(world: World, client: httpx.Client, password: str) -> None:
    form = {"username": "reader", "password": password}
    world.note("sign-in", _post(client, "/signin/", **form))


def _post(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    token = {"csrfmiddlewaretoken": client.cookies.get("csrftoken", "")}
    return client.post(path, data=fields | token)


def wait_for(is_done: Callable[[], bool], world: World, seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < until, world.logs()[-6000:]
        time.sleep(0.1)
