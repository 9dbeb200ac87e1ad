"""How many readers a machine serves, and how it refuses what it cannot serve.

    python benchmarks/load.py [--items 1000000] [--folder DIR] [--seconds 60] [--only WORD]

Starts what `deploy/` describes: Nginx, gunicorn with a process a CPU, daphne, a worker, PostgreSQL
and Redis, with the library of benchmarks/pages.py. Then locust (benchmarks/load_readers.py) plays
readers, each with a session and a live socket of their own, on the same machine. First 100 do one
act after another without a pause. Then 1,000, who pause for 10 seconds between two acts, arrive
within a minute at a server that has nothing cached for most of them, go on, and go on while the
worker ingests 500 sources that have two new entries each. Then 400 do not pause, which are more
than the server accepts at once.

Prints for each phase the answers a second, milliseconds by percentile, refusals (503, and 429 by
Nginx), other errors, the 95th percentile of each act, and the CPU seconds of each server and of
locust. Says which goals were reached, and exits with status 1 if one was missed. The worker's
hourly and daily tasks are postponed.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import page_library  # noqa: E402
from benchmarks.budgets import POSTGRES  # noqa: E402
from benchmarks.library import READERS, SOURCES  # noqa: E402
from benchmarks.pages import ITEMS, database_of  # noqa: E402
from benchmarks.scale import PersistentPostgres  # noqa: E402
from benchmarks.served import PRODUCT, Clock, daphne, gunicorn  # noqa: E402
from tests.ainews_site.test_nginx import PLAIN_SITE, Nginx  # noqa: E402

LONGEST = 120
"""Seconds beyond `--seconds` after which locust is ended."""
FEED_SERVER = str(ROOT / "benchmarks" / "feed_server.py")
NEW_ENTRIES = 2
"""Of each source, while it is polled."""
OWN_ITEMS = 20
"""Items and stories that a reader opens and marks."""
POLLS = 15
"""How often sources are queued while they are polled."""
NOT_YET = timedelta(days=1)
WARM_UP_READERS, WARM_UP_SECONDS = 8, 10.0
HEADING = (
    f"{'':28} {'pages/s':>8} {'p50':>6} {'p95':>6} {'p99':>6} {'503':>6} {'429':>6} {'errors':>7}"
)


@dataclass(frozen=True)
class Goal:
    p95: float
    pages_a_second: float = 0.0


@dataclass(frozen=True)
class Phase:
    """`arrive` is the share of the phase in which its readers come, one after another."""

    name: str
    readers: int
    pause: float
    arrive: float = 0.0
    is_polled: bool = False
    goal: Goal | None = None


PHASES = (
    Phase("100 readers, no pause", 100, 0.0, goal=Goal(2_000, pages_a_second=80)),
    Phase("1,000 readers arrive", 1_000, 10.0, arrive=1.0, goal=Goal(2_000)),
    Phase("  go on, 10 s", 1_000, 10.0, goal=Goal(500)),
    Phase("  while 500 are ingested", 1_000, 10.0, is_polled=True, goal=Goal(500)),
    Phase("400 readers, no pause", 400, 0.0),
)
"""The last one is beyond what the machine bears."""


@dataclass
class Result:
    """What locust measured. `times` is {act: {milliseconds: answers}}, without failures."""

    times: dict[str, Counter[int]]
    errors: Counter[str]
    messages: int
    cpu: float
    """CPU seconds of locust."""
    failures: Counter[str] = field(default_factory=Counter)
    """{status or name of an error: times}."""

    def __post_init__(self) -> None:
        for name, number in self.errors.items():
            self.failures[name.rpartition(": ")[2]] += number

    @property
    def pages(self) -> Counter[int]:
        """The times of all acts but opening the socket."""
        together: Counter[int] = Counter()
        for name, times in self.times.items():
            if name != "socket":
                together.update(times)
        return together


class DistributedNginx(Nginx):
    """Nginx with the main configuration of Debian and Ubuntu, which the site of deploy/ is added
    to, and with the connections that docs/how-to/run-on-a-server.md asks for."""

    def command(self) -> list[str]:
        command = super().command()
        config = self.folder / "nginx.conf"
        text = config.read_text()
        assert "events {}" in text
        main = (
            "worker_processes auto;\nworker_rlimit_nofile 16384;\n"
            "events { worker_connections 8192; }"
        )
        config.write_text(text.replace("events {}", main))
        return command


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=ITEMS[POSTGRES])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--seconds", type=float, default=60, help="of each phase")
    parser.add_argument("--readers", type=float, default=1.0, help="share of the readers")
    parser.add_argument("--only", default="", help="phases with this in their name")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers must end too
    os.environ |= {"TRUSTED_PROXIES": "127.0.0.1", "FETCH_ALLOW_PRIVATE": "127.0.0.1"}
    place = asked.folder.resolve() / f"pages-{POSTGRES}-{asked.items}"
    with feed_server() as (feeds, feeds_pid):
        os.environ["FETCH_PORTS"] = str(feeds)
        most = round(max(phase.readers for phase in PHASES) * asked.readers)
        with (
            database_of(POSTGRES, place, asked.items) as database,
            library_of(place, most) as sessions,
        ):
            assert database is not None
            with servers_of(database) as (port, servers):
                servers["feeds"] = feeds_pid
                warm_up = Phase("", WARM_UP_READERS, 0.0)
                run(warm_up, port, sessions, min(WARM_UP_SECONDS, asked.seconds))
                print(HEADING)
                chosen = [phase for phase in PHASES if asked.only in phase.name]
                missed = [
                    not measure(phase, port, sessions, asked, servers, feeds) for phase in chosen
                ]
    return int(any(missed))


@contextmanager
def feed_server() -> Iterator[tuple[int, int]]:
    """Serve the feeds of all sources. Yields (port, process id)."""
    command = [
        sys.executable,
        FEED_SERVER,
        str(SOURCES + 1),
        str(NEW_ENTRIES),
        str(int(time.time())),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        try:
            yield int(server.stdout.readline()), server.pid
        finally:
            server.kill()


@contextmanager
def library_of(place: Path, readers: int) -> Iterator[list[Any]]:
    """Make sessions of so many readers, and delete at the end what they and sources have added."""
    from django.db import connections

    from feeds.models import ItemState

    facts = page_library.read_facts(place)
    assert facts is not None
    newsroom = page_library.Newsroom(facts)
    newsroom.take_back()
    postpone_all()
    newest = ItemState.objects.order_by("-pk").values_list("pk", flat=True).first() or 0
    sessions = make_sessions(readers)
    connections.close_all()
    try:
        yield sessions
    finally:
        postpone_all()
        ItemState.objects.filter(pk__gt=newest).delete()
        newsroom.take_back()
        connections.close_all()


def postpone_all() -> None:
    """Let nothing be polled, and no hourly or daily task run, while readers are measured."""
    from django_q.models import Schedule

    from ainews_site.infra import db_clock
    from ainews_site.queue.schedules import ensure_schedules
    from feeds.models import Source

    ensure_schedules()
    later = db_clock.now() + NOT_YET
    Source.objects.update(next_poll_at=later, lease_until=None)
    Schedule.objects.exclude(name="poll_due").update(next_run=later)


@contextmanager
def servers_of(database: PersistentPostgres) -> Iterator[tuple[int, dict[str, int]]]:
    """Start all servers. Yields (port of Nginx, {server: process id})."""
    assert database.process is not None and database.redis is not None
    assert database.redis.process is not None
    with ExitStack() as stack:
        pages, pages_pid = stack.enter_context(gunicorn(os.cpu_count() or 1, PRODUCT))
        live, live_pid = stack.enter_context(daphne())
        nginx = DistributedNginx(PLAIN_SITE)
        nginx.pages, nginx.live = pages, live
        stack.enter_context(nginx)
        assert nginx.process is not None
        yield (
            nginx.port,
            {
                "gunicorn": pages_pid,
                "PostgreSQL": database.process.pid,
                "daphne": live_pid,
                "worker": stack.enter_context(worker()),
                "Nginx": nginx.process.pid,
                "Redis": database.redis.process.pid,
            },
        )


@contextmanager
def worker() -> Iterator[int]:
    command = [sys.executable, "manage.py", "worker", "--queue", "all"]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, start_new_session=True)
    try:
        yield running.pid
    finally:
        running.terminate()
        running.wait(LONGEST)


def measure(
    phase: Phase,
    port: int,
    sessions: list[Any],
    asked: argparse.Namespace,
    servers: dict[str, int],
    feeds: int,
) -> bool:
    """Run and print a phase. Returns whether its goal was reached."""
    ingesting = ingested(feeds, asked.seconds) if phase.is_polled else nullcontext([])
    with measured(servers) as spent, ingesting as stored:
        result = run(phase, port, sessions, asked.seconds, asked.readers)
    pages, failures = result.pages, Counter(result.failures)
    busy, limited = failures.pop("503", 0), failures.pop("429", 0)
    print(
        f"{phase.name:28} {pages.total() / asked.seconds:8.1f}"
        f" {percentile(pages, 0.5):6} {percentile(pages, 0.95):6} {percentile(pages, 0.99):6}"
        f" {busy:6} {limited:6} {failures.total():7}"
    )
    if failures:
        print(f"    errors: {named(result.errors)}")
    print(
        f"    p95: {named({act: percentile(times, 0.95) for act, times in result.times.items()})}"
    )
    total, own = sum(spent.values()), result.cpu
    print(
        f"    CPU s: {named({name: f'{used:.1f}' for name, used in spent.items()})};"
        f" servers {total:.1f}, {1000 * total / max(pages.total(), 1):.1f} ms a page;"
        f" locust {own:.1f}"
    )
    print(f"    sockets: {result.times['socket'].total()} opened, {result.messages} messages")
    for line in stored:
        print(f"    {line}")
    return reached(phase, pages, asked.seconds, result)


def reached(phase: Phase, pages: Counter[int], seconds: float, result: Result) -> bool:
    if phase.goal is None:
        return True
    rate, p95 = pages.total() / seconds, percentile(pages, 0.95)
    is_reached = (
        p95 < phase.goal.p95 and rate >= phase.goal.pages_a_second and not result.failures.total()
    )
    least = f"{phase.goal.pages_a_second:.0f} pages a second, " * bool(phase.goal.pages_a_second)
    outcome = "reached" if is_reached else "MISSED"
    print(f"    goal: {least}p95 under {phase.goal.p95:.0f} ms, no errors: {outcome}", flush=True)
    return is_reached


def named(values: Any) -> str:
    return ", ".join(f"{name} {value}" for name, value in values.items())


def percentile(times: Counter[int], share: float) -> int:
    """The time within which this share of the answers came."""
    left = share * times.total()
    for milliseconds in sorted(times):
        left -= times[milliseconds]
        if left <= 0:
            return milliseconds
    return 0


@contextmanager
def measured(servers: dict[str, int]) -> Iterator[dict[str, float]]:
    """Yields {server: CPU seconds}, which are known at the end of the block."""
    clocks = {name: Clock([pid]) for name, pid in servers.items()}
    before = {name: total_of(clock) for name, clock in clocks.items()}
    spent: dict[str, float] = {}
    yield spent
    spent.update({name: total_of(clock) - before[name] for name, clock in clocks.items()})


def total_of(clock: Clock) -> float:
    live, ended = clock.read()
    return (sum(live.values()) + ended) / 1e9


@contextmanager
def ingested(feeds: int, seconds: float) -> Iterator[list[str]]:
    """Make the sources due one after another, so that the worker polls them all the time. Yields
    what to print at the end."""
    from django.db import connections
    from django.db.models import CharField, DurationField, F, Value
    from django.db.models.functions import Cast, Concat
    from django_q.tasks import async_task

    from ainews_site.infra import db_clock
    from ainews_site.queue.config import FAST
    from feeds.models import ItemKey, Source

    began, sources = db_clock.now(), Source.objects.filter(pk__lte=SOURCES)
    each = Cast(F("pk") * Value(seconds * 0.8 / SOURCES), CharField())
    waits = Cast(Concat(each, Value(" seconds")), DurationField())
    sources.update(
        url=Concat(Value(f"http://127.0.0.1:{feeds}/"), Cast("pk", CharField()), Value(".xml")),
        etag="",
        body_hash="",
        failures=0,
        status=Source.Status.ACTIVE,
        next_poll_at=Value(began) + waits,
    )
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True)[0]
    is_over = threading.Event()

    def queue_polls() -> None:
        while not is_over.wait(seconds / POLLS):
            async_task("feeds.tasks.poll_due", q_options={"cluster": FAST})
        connections.close_all()

    queueing = threading.Thread(target=queue_polls)
    queueing.start()
    lines: list[str] = []
    try:
        yield lines
    finally:
        is_over.set()
        queueing.join()
    polled = sources.filter(last_succeeded_at__gte=began).count()
    new = ItemKey.objects.filter(seq__gt=newest).count()
    lines.append(f"ingested: {new} items of {polled} sources")
    sources.update(next_poll_at=db_clock.now() + NOT_YET)
    connections.close_all()


def run(phase: Phase, port: int, sessions: list[Any], seconds: float, share: float = 1.0) -> Result:
    """Let locust play the readers of a phase."""
    readers = max(1, round(phase.readers * share))
    rate = readers / (seconds * phase.arrive) if phase.arrive else readers / min(10, seconds / 2)
    if not phase.pause:
        rate = readers  # all at once
    with tempfile.TemporaryDirectory(prefix="ainews-locust-") as name:
        given, results = Path(name) / "sessions.json", Path(name) / "results.json"
        given.write_text(json.dumps(sessions[:readers]))
        command = [
            *(sys.executable, "-m", "locust", "-f", "benchmarks/load_readers.py", "--headless"),
            *("--host", f"http://127.0.0.1:{port}", "--users", str(readers)),
            *("--spawn-rate", f"{rate:.2f}", "--run-time", f"{max(seconds, 1):.0f}s"),
            *("--pause", str(phase.pause), "--sessions", str(given), "--results", str(results)),
            *("--only-summary", "--loglevel", "ERROR"),
        ]
        before = children_cpu()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, timeout=seconds + LONGEST)
        if done.returncode:
            raise SystemExit(done.stderr.decode(errors="replace"))
        found = json.loads(results.read_text())
    times = {
        act: Counter({int(ms): number for ms, number in counted.items()})
        for act, counted in found["times"].items()
    }
    return Result(
        {"socket": Counter()} | times,
        Counter(found["errors"]),
        found["messages"],
        children_cpu() - before,
    )


def children_cpu() -> float:
    """CPU seconds of the processes of this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def make_sessions(readers: int) -> list[Any]:
    """A session of each reader, with the items and stories that they open."""
    from accounts.models import User
    from digests.editions.write import write_digest
    from feeds.models import Item

    users = list(User.objects.filter(pk__lte=READERS).order_by("pk")[:readers])
    write_digest(users[0])
    words = page_library.search_words()
    sessions = []
    for user in users:
        newest = Item.objects.subscribed_by(user).newest_first().exclude(story=None)[:OWN_ITEMS]
        items = list(newest.values_list("pk", "story_id"))
        sessions.append(
            {
                "session": session_of(user),
                "items": [item for item, _ in items],
                "stories": [story for _, story in items],
                "words": words,
            }
        )
    return sessions


def session_of(user: Any) -> str:
    """The key of a new session. The test client would take ten times as long."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return str(session.session_key)


if __name__ == "__main__":
    sys.exit(main())
