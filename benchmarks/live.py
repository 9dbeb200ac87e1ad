"""Measure live updates: many readers with an open page, and news for all of them.

    python benchmarks/live.py [sqlite] [postgres] [--sockets 1000] [--servers 1] [--unbudgeted]

`sqlite` measures the web server of one machine (daphne), `postgres` daphne with PostgreSQL and
Redis; without either, both. Each socket belongs to a reader of its own with 100 of 500 sources.
The clients run in this process, and its CPU time is not counted. Prints

- the CPU seconds of daphne (and of PostgreSQL) to connect the sockets,
- the seconds and CPU seconds from the commit of new items until the last socket got the message,
- the same from a reader's mark until their other page got its new count, for 20 readers at once,
- memory per socket, and the CPU of a minute in which nothing happens,

with the budget for 1,000 sockets beside it. The exit status is 1 if the CPU time exceeds a budget
by more than a fifth.
"""

import argparse
import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.live_clients import SocketClient, connect_all, wait_for  # noqa: E402
from tests.services import Postgres, Redis, free_port, is_open  # noqa: E402

SOURCES, FOLLOWED, LIBRARY, ENTRIES = 500, 100, 2_500, 50
EVENTS, MARKS = 3, 20
QUIET_SECONDS = 10
PATIENCE = 180
DAPHNE = "daphne -v0 -b 127.0.0.1 -p {port} ainews_site.asgi:application"
BUDGETS = {"connect": 3.0, "event": 0.5}
"""CPU seconds of daphne for 1,000 sockets."""
EXCESS = 1.2


@dataclass
class Site:
    """The processes that are measured."""

    kind: str
    ports: list[int] = field(default_factory=list)
    servers: list[psutil.Process] = field(default_factory=list)
    database: psutil.Process | None = None

    def cpu(self) -> float:
        return sum(map(_cpu_of, self.servers))

    def database_cpu(self) -> float:
        return _cpu_of(self.database) if self.database else 0.0

    def memory(self) -> int:
        return sum(server.memory_full_info().uss for server in self.servers)


def _cpu_of(process: psutil.Process) -> float:
    """CPU seconds of a process and its children, those that ended included."""
    times = process.cpu_times()
    spent = times.user + times.system + times.children_user + times.children_system
    return spent + sum(
        child.user + child.system
        for child in (child.cpu_times() for child in process.children(recursive=True))
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("kinds", nargs="*", help="sqlite, postgres")
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--servers", type=int, default=1, help="number of daphne processes")
    parser.add_argument("--unbudgeted", action="store_true", help="never fail")
    options = parser.parse_args()
    if kind := os.environ.get("AINEWS_LIVE_KIND"):
        sys.exit(_measure_here(kind, options))
    failed = 0
    for kind in options.kinds or ["sqlite", "postgres"]:
        # Django is set up once in a process.
        command = [sys.executable, *sys.argv]
        environment = os.environ | {"AINEWS_LIVE_KIND": kind}
        failed |= subprocess.run(command, cwd=ROOT, env=environment).returncode
    sys.exit(failed)


def _measure_here(kind: str, options: argparse.Namespace) -> int:
    with tempfile.TemporaryDirectory(prefix="ainews-live-") as folder, ExitStack() as stack:
        environment = {"DATA": folder, "DATABASE_URL": "", "REDIS_URL": "", "LOG_LEVEL": "WARNING"}
        site = Site(kind)
        if kind == "postgres":
            postgres = stack.enter_context(Postgres(jit="off", max_connections="100"))
            assert postgres.process is not None
            site.database = psutil.Process(postgres.process.pid)
            environment["DATABASE_URL"] = postgres.url()
            environment["REDIS_URL"] = stack.enter_context(Redis()).url
        os.environ.update(environment)
        sessions = _library(options.sockets)
        for _ in range(options.servers):
            stack.enter_context(_daphne(site))
        return asyncio.run(_measure(site, sessions, options.unbudgeted))


def _library(readers: int) -> list[str]:
    """Create the sources, items and readers. Returns the key of a session of each reader."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    import django
    from django.core.management import call_command
    from django.db import connection

    django.setup()
    call_command("migrate", verbosity=0)
    _make_sources()
    users = _make_readers(readers)
    sessions = _make_sessions(users)
    for source in range(LIBRARY // ENTRIES):
        _store(source % SOURCES + 1)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return sessions


def _make_sources() -> None:
    from feeds.models import Source

    Source.objects.bulk_create(
        Source(pk=n, url=f"https://{n}.example/feed", title=f"Outlet {n}", is_public=n % 2 == 0)
        for n in range(1, SOURCES + 1)
    )


def _make_readers(count: int) -> list[Any]:
    """Readers who follow the first source and 99 others."""
    import random

    from accounts.models import User
    from feeds.models import Subscription

    users = User.objects.bulk_create(
        User(username=f"reader{n}", password=f"!{n}") for n in range(count)
    )
    chance = random.Random(7)
    rows = (
        Subscription(user=user, source_id=source)
        for user in users
        for source in [1, *chance.sample(range(2, SOURCES + 1), FOLLOWED - 1)]
    )
    Subscription.objects.bulk_create(rows, batch_size=5_000)
    return users


def _make_sessions(users: list[Any]) -> list[str]:
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.utils import timezone

    store = import_module(settings.SESSION_ENGINE).SessionStore
    model, encode = store.get_model_class(), store().encode
    expires = timezone.now() + timedelta(days=30)
    keys = [f"{number:032d}" for number in range(len(users))]
    model.objects.bulk_create(
        model(
            session_key=key,
            expire_date=expires,
            session_data=encode(
                {
                    SESSION_KEY: str(user.pk),
                    BACKEND_SESSION_KEY: settings.AUTHENTICATION_BACKENDS[-1],
                    HASH_SESSION_KEY: user.get_session_auth_hash(),
                }
            ),
        )
        for key, user in zip(keys, users, strict=True)
    )
    return keys


def _store(source: int) -> None:
    """Store 50 new items of a source as a poll does."""
    import secrets

    from feeds.coordination.announce import announce_news
    from feeds.ingest.parse.types import CleanEntry
    from feeds.ingest.store import store_entries

    now = datetime.now(UTC)
    entries = [
        CleanEntry(
            *(secrets.randbits(60) for _ in range(3)),
            url=f"https://{source}.example/{number}",
            title=f"A lab publishes model {number}",
            author="",
            summary="",
            html="<p>It is large.</p>",
            text="It is large.",
            published=now - timedelta(minutes=number),
        )
        for number in range(ENTRIES)
    ]
    store_entries(source, entries, now=now, topics=["models"], language="en")
    announce_news()


@contextmanager
def _daphne(site: Site) -> Iterator[None]:
    port = free_port()
    command = [sys.executable, "-m", *DAPHNE.format(port=port).split()]
    server = subprocess.Popen(command, cwd=ROOT)
    try:
        until = time.monotonic() + PATIENCE
        while not is_open(port) and time.monotonic() < until:
            time.sleep(0.1)
        site.ports.append(port)
        site.servers.append(psutil.Process(server.pid))
        yield
    finally:
        server.terminate()
        server.wait()


async def _measure(site: Site, sessions: list[str], is_unbudgeted: bool) -> int:
    count = len(sessions)
    # The first connection loads code that the others find.
    (await connect_all(site.ports, sessions[:1]))[0].transport.close()
    await _until_idle(site)
    print(f"{site.kind}: {count} sockets, {len(site.servers)} daphne", flush=True)

    before, memory = (site.cpu(), site.database_cpu()), site.memory()
    started = time.monotonic()
    clients = await connect_all(site.ports, sessions)
    lasted = time.monotonic() - started
    await _until_idle(site)
    spent = {"connect": site.cpu() - before[0]}
    _show("connect", lasted, spent["connect"], site.database_cpu() - before[1], count)
    print(f"  memory per socket {(site.memory() - memory) / count / 1024:18.1f} KiB", flush=True)

    events = [await _event(site, clients) for _ in range(EVENTS)]
    spent["event"] = statistics.median(cpu for _, cpu, _ in events)
    for event in events:
        _show("event", *event, count)
    _show("counts", *await _counts(site, clients[:MARKS]), count)

    before, started = (site.cpu(), site.database_cpu()), time.monotonic()
    await asyncio.sleep(QUIET_SECONDS)
    minutes = (time.monotonic() - started) / 60
    print(
        f"  idle for a minute {(site.cpu() - before[0]) / minutes:17.2f} CPU s"
        f" {(site.database_cpu() - before[1]) / minutes:6.2f} of the database"
    )
    lost = [client.code for client in clients if client.code]
    assert not lost, f"{len(lost)} sockets were closed: {lost[:5]}"
    for client in clients:
        client.transport.close()
    budgets = {name: budget * max(1, count / 1000) for name, budget in BUDGETS.items()}
    exceeded = [name for name in budgets if spent[name] > EXCESS * budgets[name]]
    if exceeded and not is_unbudgeted:
        print(f"over budget: {', '.join(exceeded)}")
    return int(bool(exceeded) and not is_unbudgeted)


def _show(name: str, lasted: float, cpu: float, database: float, count: int) -> None:
    budget = BUDGETS.get(name)
    wanted = f" (at most {budget * max(1, count / 1000):.1f})" if budget else ""
    print(
        f"  {name:10} {lasted:6.2f} s {cpu:16.2f} CPU s{wanted} {database:6.2f} of the database",
        flush=True,
    )


async def _until_idle(site: Site, seconds: float = 1.0) -> None:
    """Wait until the servers have used little CPU for a second."""
    while True:
        before = site.cpu()
        await asyncio.sleep(seconds)
        if site.cpu() - before < 0.1 * seconds:
            return


async def _event(site: Site, clients: list[SocketClient]) -> tuple[float, float, float]:
    """Store items that are news for all. Returns the seconds and the CPU seconds of daphne and of
    the database until the last client got the message."""
    await _until_idle(site)
    cpu, database, started = site.cpu(), site.database_cpu(), time.monotonic()
    await asyncio.to_thread(_store, 1)
    stored = time.monotonic()
    last = await wait_for(clients, "new", started, PATIENCE)
    await _until_idle(site)
    return last - stored, site.cpu() - cpu, site.database_cpu() - database


async def _counts(site: Site, clients: list[SocketClient]) -> tuple[float, float, float]:
    """Let readers mark everything as read. Returns the same for the messages with the counts."""
    await _until_idle(site)
    cpu, database, started = site.cpu(), site.database_cpu(), time.monotonic()
    await asyncio.to_thread(_mark_all_read, len(clients))
    marked = time.monotonic()
    last = await wait_for(clients, "counts", started, PATIENCE)
    await _until_idle(site)
    return last - marked, site.cpu() - cpu, site.database_cpu() - database


def _mark_all_read(readers: int) -> None:
    from accounts.models import User
    from feeds.coordination.revisions import latest_seq
    from feeds.reading.marks import mark_all_read

    for user in User.objects.order_by("pk")[:readers]:
        mark_all_read(user, None, latest_seq())


if __name__ == "__main__":
    main()
