"""How many pages a machine serves, and how it refuses what it cannot serve.

    python benchmarks/load.py [--items 1000000] [--folder DIR] [--seconds 60]

Starts what `deploy/` describes: Nginx, gunicorn with a process a CPU, daphne, PostgreSQL and Redis,
with the library of benchmarks/pages.py. First 100 sessions read pages without a pause. Then 1,000
sessions, with a pause of 10 seconds between pages, come to a server that has nothing cached for
900 of them, go on, and go on while a worker polls 500 sources that have two new entries each. Then
400 have no pause, which are more than the server accepts at once. Each session is a reader's own.
The clients run on the same machine. Prints pages a second, the median and the 95th percentile in
milliseconds, errors, refusals (503, and 429 by Nginx), and the CPU milliseconds of each server a
page.

A page is an answer with status 200. Other statuses than 200, 503 and 429 are errors.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import page_library  # noqa: E402
from benchmarks.budgets import POSTGRES  # noqa: E402
from benchmarks.library import READERS, SOURCES  # noqa: E402
from benchmarks.pages import ITEMS, database_of  # noqa: E402
from benchmarks.served import PRODUCT, Clock, daphne, gunicorn  # noqa: E402
from tests.ainews_site.test_nginx import PLAIN_SITE, Nginx  # noqa: E402

LONGEST = 120
"""Seconds beyond `--seconds` after which the clients are ended."""
PAGES_OF_A_SESSION = 200
FEED_SERVER = str(ROOT / "benchmarks" / "feed_server.py")
NEW_ENTRIES = 2
"""Of each source, while it is polled."""
SHARES = {
    "stories": 30,
    "river": 30,
    "item": 15,
    "story": 10,
    "digest": 5,
    "search": 5,
    "sources": 5,
}
"""How often of a hundred times a session opens a page."""
HEADING = (
    f"{'':24} {'pages/s':>8} {'p50':>7} {'p95':>7} {'503':>6} {'p95':>7} {'429':>6} {'errors':>7}"
)
WARM_UP_SESSIONS, WARM_UP_SECONDS = 8, 10.0


@dataclass(frozen=True)
class Phase:
    name: str
    sessions: int
    pause: float
    is_polled: bool = False


class DistributedNginx(Nginx):
    """Nginx with the main configuration of Debian and Ubuntu, which the site of deploy/ is added
    to."""

    def command(self) -> list[str]:
        command = super().command()
        config = self.folder / "nginx.conf"
        text = config.read_text()
        assert "events {}" in text
        main = "worker_processes auto;\nevents { worker_connections 768; }"
        config.write_text(text.replace("events {}", main))
        return command


PHASES = (
    Phase("100 sessions, no pause", 100, 0.0),
    Phase("1,000 sessions arrive", 1_000, 10.0),
    Phase("  go on, 10 s", 1_000, 10.0),
    Phase("  while 500 are polled", 1_000, 10.0, is_polled=True),
    Phase("400 sessions, no pause", 400, 0.0),
)
"""The last one is beyond what the machine bears."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=ITEMS[POSTGRES])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--seconds", type=float, default=60, help="of each phase")
    asked = parser.parse_args()
    os.environ["TRUSTED_PROXIES"] = "127.0.0.1"
    place = asked.folder.resolve() / f"pages-{POSTGRES}-{asked.items}"
    with database_of(POSTGRES, place, asked.items) as database, ExitStack() as stack:
        assert database is not None and database.process is not None
        facts = page_library.read_facts(place)
        assert facts is not None
        newsroom = page_library.Newsroom(facts)
        newsroom.take_back()
        sessions = _sessions()
        pages, pages_pid = stack.enter_context(gunicorn(os.cpu_count() or 1, PRODUCT))
        live, _ = stack.enter_context(daphne())
        nginx = DistributedNginx(PLAIN_SITE)
        nginx.pages, nginx.live = pages, live
        stack.enter_context(nginx)
        assert nginx.process is not None
        servers = {
            "gunicorn": pages_pid,
            "PostgreSQL": database.process.pid,
            "Nginx": nginx.process.pid,
        }
        _run(nginx.port, sessions[:WARM_UP_SESSIONS], WARM_UP_SECONDS, 0.0)
        print(HEADING)
        for phase in PHASES:
            _show(phase, nginx.port, sessions, asked.seconds, servers, newsroom)


def _show(
    phase: Phase,
    port: int,
    sessions: list[Any],
    seconds: float,
    servers: dict[str, int],
    newsroom: page_library.Newsroom,
) -> None:
    worker = polled(newsroom) if phase.is_polled else nullcontext()
    with _measured(servers) as spent, worker:
        times, refused, statuses, errors = _run(
            port, sessions[: phase.sessions], seconds, phase.pause
        )
    busy, limited = statuses.pop("503", 0), statuses.pop("429", 0)
    good = statuses.pop("200", 0)
    failed = sum(statuses.values()) + sum(errors.values())
    p50 = median(times or [0.0])
    print(
        f"{phase.name:24} {good / seconds:8.1f} {p50:7.0f} {_p95(times):7.0f} {busy:6}"
        f" {_p95(refused):7.0f} {limited:6} {failed:7}"
        f"  {dict(statuses) | dict(errors) or ''}"
    )
    of_a_page = (f"{name} {ms / max(good, 1):.1f}" for name, ms in spent.items())
    print(f"{'  CPU ms a page':24} {', '.join(of_a_page)}", flush=True)


@contextmanager
def polled(newsroom: page_library.Newsroom) -> Iterator[None]:
    """Poll 500 sources meanwhile, and delete what is new at the end."""
    from django.db import connections
    from django.db.models import CharField, Value
    from django.db.models.functions import Cast, Concat

    from feeds.models import Source

    sources = Source.objects.filter(pk__lte=SOURCES)
    server = [
        sys.executable,
        FEED_SERVER,
        str(SOURCES + 1),
        str(NEW_ENTRIES),
        str(int(time.time())),
    ]
    with subprocess.Popen(server, stdout=subprocess.PIPE, text=True) as feeds:
        assert feeds.stdout is not None
        address = Value(f"http://127.0.0.1:{int(feeds.stdout.readline())}/")
        sources.update(url=Concat(address, Cast("pk", CharField()), Value(".xml")))
        urls = list(sources.values_list("url", flat=True))
        connections.close_all()
        environment = os.environ | {"FETCH_ALLOW_PRIVATE": "127.0.0.1"}
        worker = subprocess.Popen(
            [sys.executable, "manage.py", "poll", *urls],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        yield
        status = worker.wait(LONGEST)
        feeds.kill()
    assert not status
    newsroom.take_back()
    connections.close_all()


def _p95(values: list[float]) -> float:
    return quantiles(values, n=20)[-1] if len(values) > 1 else sum(values)


@contextmanager
def _measured(servers: dict[str, int]) -> Iterator[dict[str, float]]:
    """Yields {server: CPU milliseconds}, which are known at the end of the block."""
    clocks = {name: Clock([pid]) for name, pid in servers.items()}
    before = {name: _total(clock) for name, clock in clocks.items()}
    spent: dict[str, float] = {}
    yield spent
    spent.update({name: _total(clock) - before[name] for name, clock in clocks.items()})


def _total(clock: Clock) -> float:
    live, ended = clock.read()
    return (sum(live.values()) + ended) / 1e6


def _run(port: int, sessions: list[Any], seconds: float, pause: float) -> Any:
    command = [sys.executable, "-m", "benchmarks.load_clients", str(port), str(seconds), str(pause)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        input=json.dumps(sessions),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=seconds + LONGEST,
    )
    return json.loads(done.stdout)


def _sessions() -> list[Any]:
    """A session of each reader, with the pages that it opens one after another."""
    from django.db import connections

    from accounts.models import User
    from benchmarks.measure import signed_in
    from digests.editions.write import write_digest

    chance = random.Random(11)
    users = list(User.objects.filter(pk__lte=READERS).order_by("pk"))
    write_digest(users[0])
    sessions = []
    words = page_library.search_words()
    for user in users:
        cookie = f"sessionid={signed_in(user).cookies['sessionid'].value}; csrftoken={'a' * 32}"
        addresses = _addresses(user, words)
        drawn = chance.choices(list(SHARES), list(SHARES.values()), k=PAGES_OF_A_SESSION)
        paths = [chance.choice(addresses[name]) for name in drawn]
        sessions.append({"cookie": cookie, "paths": paths})
    connections.close_all()
    return sessions


def _addresses(user: Any, words: tuple[str, str]) -> dict[str, list[str]]:
    from feeds.models import Item

    newest = Item.objects.subscribed_by(user).newest_first().exclude(story=None)[:20]
    items = newest.values_list("pk", "story_id")
    return {
        "stories": ["/"],
        "river": ["/river/"],
        "item": [f"/item/{item}/" for item, _ in items],
        "story": [f"/story/{story}/" for _, story in items],
        "digest": ["/digest/"],
        "search": [f"/search/?q={word}" for word in words],
        "sources": ["/sources/"],
    }


if __name__ == "__main__":
    main()
