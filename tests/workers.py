"""Worker commands, the feeds that they poll and what came of it: for tests that kill them."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Self

import psutil

from tests.feeds.ingest.server import reply, serve
from tests.prepared import migrated_sqlite, run_migrate

ROOT = Path(__file__).resolve().parents[1]
LEASE = 6
"""Seconds after which others take over what was killed; a quarter of an hour elsewhere."""
HELPER = """
import json, sys, time, django
django.setup()
from pathlib import Path
from django_q.brokers import get_broker
from django.db.models import Count
from django.utils import timezone
from django_q.tasks import async_task
from feeds.models import Item, ItemBody, ItemKey, Lease, Source
from feeds.stories.grouping.repair import repair_stories
from feeds.tasks import poll_due

def follow(*urls):
    for url in urls:
        Source.objects.get_or_create(url=url)

def due():
    "What the schedules do each minute, and the sources' own pace, only faster."
    Source.objects.all().change(next_poll_at=timezone.now())  # leases alone keep workers apart
    async_task("feeds.tasks.poll_due")
    return Item.objects.count()

def send(func, queue, *args):
    async_task(func, *args, q_options={"cluster": queue})

def counts():
    return {
        "items": Item.objects.count(),
        "once": Item.objects.values("source_id", "url").distinct().count(),
        "bodies": ItemBody.objects.count(),
        "keys": ItemKey.objects.exclude(item_id=None).count(),
        "by_source": dict(Source.objects.annotate(n=Count("items")).values_list("url", "n")),
        "failing": Source.objects.exclude(failures=0).count(),
        "told": Item.objects.exclude(story=None).count(),
    }

def stories():
    repair_stories()
    groups = {}
    for title, url, story in Item.objects.values_list("title", "url", "story_id"):
        groups.setdefault(story, []).append(f"{title} {url}")
    return sorted(sorted(group) for group in groups.values())

def waiting():
    return [b.queue_size() + b.lock_size() for b in map(get_broker, ("ainews", "slow"))]

def free():
    "Messages that a worker can take now, in the fast and in the slow queue."
    return [b.queue_size() for b in map(get_broker, ("ainews", "slow"))]

def held():
    "Leases that somebody holds: those of sources, and the named ones."
    sources = Source.objects.exclude(lease_until=None).count()
    return [sources, Lease.objects.exclude(until=None).count()]

def wait_for(file):
    until = time.monotonic() + 100
    while not Path(file).exists() and time.monotonic() < until:
        time.sleep(0.1)
    return Path(file).exists()

print("ready", flush=True)
for line in sys.stdin:
    name, *args = json.loads(line)
    print(json.dumps(globals()[name](*args)), flush=True)
"""


def environment(data: Path, database: str, **more: str) -> dict[str, str]:
    return os.environ | {
        "DATA": str(data),
        "DATABASE_URL": database,
        "REDIS_URL": "",
        "QUEUE_URL": "",
        "SECRET_KEY": "the same on every machine, for the messages",
        "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
        "FETCH_ALLOW_PRIVATE": "127.0.0.1",
        "FETCH_HOST_PAUSE": "0",
        "LEASE_SECONDS": str(LEASE),
        "POLL_BATCH": "3",
        "LOG_LEVEL": "WARNING",
        **more,
    }


def migrate(env: dict[str, str]) -> None:
    """Create the tables. SQLite's file is a copy; see `Postgres.migrated` for PostgreSQL."""
    if env["DATABASE_URL"]:
        run_migrate(Path(env["DATA"]), env["DATABASE_URL"])
        return
    Path(env["DATA"]).mkdir(parents=True, exist_ok=True)
    shutil.copy(migrated_sqlite(), env["DATA"])


class Helper:
    """A process with Django on the database under test; call() runs a function of HELPER."""

    def __init__(self, env: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", HELPER],
            env=env,
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.process.stdout.readline()

    def call(self, name: str, *args: object) -> object:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([name, *args]) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class Worker:
    """One `manage.py worker`, as a machine of its own would run it: with its own DATA."""

    def __init__(self, env: dict[str, str], *arguments: str) -> None:
        self.env, self.arguments = env, arguments
        self.start()

    def start(self) -> None:
        Path(self.env["DATA"]).mkdir(exist_ok=True)
        with Path(self.env["DATA"], "log").open("ab") as log:
            self.said_before = log.tell()
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "worker", *self.arguments],
                env=self.env,
                cwd=ROOT,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def log(self) -> str:
        return Path(self.env["DATA"], "log").read_text(errors="replace")

    def wait_until_working(self, seconds: float = 120) -> None:
        """Before that Python still loads, and a signal ends it as it ends any program."""
        until = time.monotonic() + seconds
        while "Worker running." not in self.log()[self.said_before :] and time.monotonic() < until:
            time.sleep(0.1)

    def processes(self) -> list[psutil.Process]:
        """All below the command itself: leaders, sentinels, pools, pushers, monitors."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def kill_one(self, chance: random.Random) -> None:
        if found := self.processes():
            with suppress(psutil.NoSuchProcess):
                chance.choice(found).kill()

    def kill_all(self) -> None:
        """As if the machine had lost its power."""
        for process in [*self.processes(), self.process]:
            with suppress(psutil.NoSuchProcess, ProcessLookupError):
                process.kill()
        self.process.wait()
        for process in orphans(self.env["DATA"]):
            process.kill()


def orphans(data: str) -> list[psutil.Process]:
    """Processes of this worker whose parents were killed before."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if "qcluster" in process.cmdline() and process.environ().get("DATA") == data:
                found.append(process)
    return found


@dataclass
class Outlets:
    """Feeds on servers of their own, which publish and see who asks twice at a time."""

    seed: int
    urls: list[str] = field(default_factory=list)
    entries: dict[str, list[str]] = field(default_factory=dict)
    overlaps: list[str] = field(default_factory=list)
    answered: int = 0

    def __post_init__(self) -> None:
        self.chance = random.Random(self.seed)
        self.lock = threading.Lock()
        self.asked: dict[str, int] = {}
        self.count = 0

    @property
    def total(self) -> int:
        return sum(map(len, self.entries.values()))

    def publish(self, path: str) -> None:
        """An entry about one of a few events, in other words each time."""
        self.count += 1
        event = self.chance.randrange(12)
        words = [f"{stem}{event}" for stem in ("Lab", "model", "benchmark", "release", "price")]
        self.chance.shuffle(words)
        title = f"{' '.join(words[:4])} {self.chance.choice(WORDS)} {self.chance.choice(WORDS)}"
        when = datetime.now(UTC) - timedelta(hours=2) + timedelta(seconds=self.count)
        link = f"https://o.example{path}/{self.count}"
        self.entries[path].append(
            f"<item><title>{title}</title><link>{link}</link><guid>{link}</guid>"
            f"<pubDate>{format_datetime(when)}</pubDate><description>{title}</description></item>"
        )

    def correct(self, path: str) -> None:
        """Change the title of the first entry."""
        entry = self.entries[path][0]
        self.entries[path][0] = entry.replace("<title>", "<title>Corrected: ", 1)

    def publish_some(self) -> None:
        self.publish(self.chance.choice(sorted(self.entries)))

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        path = handler.path
        with self.lock:
            self.answered += 1
            self.asked[path] = self.asked.get(path, 0) + 1
            if self.asked[path] > 1:
                self.overlaps.append(path)
            delay = self.chance.uniform(0.02, 0.5)
        try:
            time.sleep(delay)
            body = "".join(self.entries[path])
            feed = f"<rss version='2.0'><channel><title>{path}</title>{body}</channel></rss>"
            reply(200, feed.encode())(handler)
        finally:
            with self.lock:
                self.asked[path] -= 1


WORDS = [
    "today",
    "early",
    "surprise",
    "cheaper",
    "faster",
    "open",
    "weights",
    "reasoning",
    "agents",
    "vision",
    "audio",
]


@contextmanager
def publishing(servers: int, feeds: int, entries: int, seed: int = 7) -> Iterator[Outlets]:
    """So many hosts with so many feeds each, with the first entries in each."""
    outlets = Outlets(seed)
    with ExitStack() as stack:
        for host in range(servers):
            paths = [f"/{host}-{number}" for number in range(feeds)]
            server = stack.enter_context(serve(dict.fromkeys(paths, outlets.answer)))
            outlets.urls += [f"{server.url}{path}" for path in paths]
            for path in paths:
                outlets.entries[path] = []
                for _ in range(entries):
                    outlets.publish(path)
        yield outlets


def work_off(outlets: Outlets, helper: Helper, seconds: float) -> None:
    """Ask for polls until all entries that there are have come in."""
    until = time.monotonic() + seconds
    while time.monotonic() < until and helper.call("due") != outlets.total:
        time.sleep(0.5)


def stop_all(workers: Sequence[Worker]) -> list[int]:
    for worker in workers:
        worker.wait_until_working()
    for worker in workers:
        worker.process.send_signal(signal.SIGTERM)
    return [worker.process.wait(300) for worker in workers]
