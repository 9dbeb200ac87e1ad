"""Measure what a machine of 512 MB and half a core bears: SQLite, 100 sources, 20 readers.

    python benchmarks/small_machine.py [--items 100000] [--folder DIR] [--seconds 120]

Runs `manage.py serve` in control groups of 512 MB and half a core (as root, with version 1), while
20 readers open pages with a pause of 10 seconds: first without a poll, then while all of 100
sources are polled, which have two new entries each. Readers and feeds run outside the groups.
Prints the 95th percentile of pages, how long the poll of all sources took, and the memory of all
processes together: their anonymous memory, without the page cache, as the group counts it, and the
sum of their PSS. Fails if the processes need 350 MB, if 5 % of the pages take more than 300 ms, if
a process was killed for lack of memory, or if a poll is not done before the next.
"""

import argparse
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

import psutil  # noqa: E402

from benchmarks.budgets import SQLITE  # noqa: E402
from benchmarks.drill.__main__ import library  # noqa: E402
from tests.services import free_port, is_open  # noqa: E402

GROUPS = Path("/sys/fs/cgroup")
MEMORY, HALF_A_CORE, PERIOD = 512 * 2**20, 50_000, 100_000
SOURCES, READERS, PAUSE, NEW_ENTRIES = 100, 20, 10.0, 2
MOST_MEMORY, SLOWEST = 350 * 2**20, 300.0
NEXT_POLL = 1_800.0
"""Seconds between two polls of a source."""
PATIENCE = 240.0
PREPARE = f"""
import json
import os
from datetime import timedelta
from django.db.models import CharField, Value
from django.db.models.functions import Cast, Concat
from django.test import Client
from django.utils import timezone
from accounts.models import User
from feeds.models import Item, Source
port = Value(f":{{os.environ['FEEDS_PORT']}}/")
Source.objects.update(status=Source.Status.GONE)
Source.objects.filter(pk__lte={SOURCES}).change(
    status=Source.Status.ACTIVE, next_poll_at=timezone.now() + timedelta(days=1)
)
Source.objects.filter(pk__lte={SOURCES}).update(
    url=Concat(Value("http://127.0.0."), pk := Cast("pk", CharField()), port, pk, Value(".xml"))
)
sessions = []
for user in User.objects.order_by("pk")[:{READERS}]:
    client = Client()
    client.force_login(user)
    newest = Item.objects.subscribed_by(user).newest_first().exclude(story=None)[:10]
    paths = [f"/item/{{pk}}/" for pk in newest.values_list("pk", flat=True)]
    sessions.append({{"cookie": "sessionid=" + client.cookies["sessionid"].value, "items": paths}})
print(json.dumps(sessions))
"""
DUE = f"""
from django.utils import timezone
from feeds.models import Source
Source.objects.filter(pk__lte={SOURCES}).change(next_poll_at=timezone.now())
"""
POLLED = f"""
from feeds.models import Source
polled = Source.objects.filter(last_fetched_at__gte=STARTED, lease_until=None)
print(polled.filter(pk__lte={SOURCES}).count())
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--seconds", type=float, default=120)
    asked = parser.parse_args()
    folder = asked.folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    place = library(SQLITE, folder, asked.items)
    with tempfile.TemporaryDirectory(prefix="small-", dir=folder) as made, feeds() as port:
        data = Path(made)
        shutil.copy(place / "ainews.sqlite3", data)
        return measure(data, port, asked.seconds)


def measure(data: Path, feeds_port: int, seconds: float) -> int:
    port = free_port()
    os.environ.update(
        DATA=str(data),
        DATABASE_URL="",
        REDIS_URL="",
        DATABASE_REPLICA_URLS="",
        PORT=str(port),
        HOST="127.0.0.1",
        FETCH_ALLOW_PRIVATE="127.0.0.0/24",
        FETCH_PORTS=str(feeds_port),
        FEEDS_PORT=str(feeds_port),
        LOG_LEVEL="WARNING",
    )
    manage("migrate", "-v0")
    sessions = _sessions(json.loads(shell(PREPARE)))
    with small_group() as group, serving(group, port):
        memory = _Memory(group)
        try:
            _read(port, sessions, 20.0, 0.5)  # until caches are warm
            quiet = _phase("no poll", group, port, sessions, seconds)
            started = time.strftime("%Y-%m-%d %H:%M:%S+00:00", time.gmtime())
            polled = _Poll(started)
            polling = _phase("all sources due", group, port, sessions, seconds)
            spent = polled.wait()
        finally:
            memory.stop()
        cpu, killed = group.cpu_seconds(), group.killed()
    p95 = max(quiet, polling)
    print(f"all {SOURCES} sources polled after {spent:.0f} s")
    anonymous, pss = memory.anonymous / 2**20, memory.pss / 2**20
    print(f"at most {anonymous:.0f} MB without page cache; PSS {pss:.0f} MB in")
    print(f"{memory.processes} processes: {memory.by_process}")
    print(f"{cpu:.0f} CPU seconds; {killed} processes killed for lack of memory")
    is_light = memory.anonymous < MOST_MEMORY and not killed
    is_good = is_light and p95 < SLOWEST and spent < NEXT_POLL
    print("good" if is_good else "BAD")
    return 0 if is_good else 1


def _phase(
    name: str, group: "Group", port: int, sessions: list[dict[str, Any]], seconds: float
) -> float:
    """Let all sessions read at human pace. Prints and returns the 95th percentile."""
    cpu, held = group.cpu_seconds(), group.throttled_seconds()
    times, statuses = _read(port, sessions, seconds, PAUSE)
    cpu, held = group.cpu_seconds() - cpu, group.throttled_seconds() - held
    middle = median(times or [0.0])
    print(f"{name}: {len(times)} pages: median {middle:.0f} ms, 95 % within {_p95(times):.0f} ms")
    print(f"  {cpu:.0f} CPU seconds of {seconds / 2:.0f}, throttled for {held:.0f} s", end="")
    print(f"; answers by status: {dict(statuses)}", flush=True)
    return _p95(times)


def _p95(times: list[float]) -> float:
    return quantiles(times, n=20)[-1] if len(times) > 1 else 0.0


def _sessions(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    chance = random.Random(5)
    pages = ["/", "/river/", "/", "/river/", "/sources/", "/search/?q=harbour"]
    return [
        {"cookie": one["cookie"], "paths": chance.sample([*pages, *one["items"]], 16)}
        for one in found
    ]


def _read(
    port: int, sessions: list[dict[str, Any]], seconds: float, pause: float
) -> tuple[list[float], Counter[str]]:
    """Let all sessions read. Returns the milliseconds of good answers, and {status: answers}."""
    times: list[float] = []
    statuses: Counter[str] = Counter()
    until = time.monotonic() + seconds
    readers = [
        threading.Thread(target=_read_one, args=(port, session, until, pause, times, statuses))
        for session in sessions
    ]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    return times, statuses


def _read_one(
    port: int,
    session: dict[str, Any],
    until: float,
    pause: float,
    times: list[float],
    statuses: Counter[str],
) -> None:
    time.sleep(random.random() * min(pause, until - time.monotonic()))
    headers = {"Cookie": session["cookie"], "Accept": "text/html", "Accept-Encoding": "gzip"}
    for path in cycle(session["paths"]):
        if time.monotonic() >= until:
            return
        started = time.monotonic()
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            connection.request("GET", path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            statuses[str(answer.status)] += 1
            if answer.status == 200:
                times.append((time.monotonic() - started) * 1000)
        except OSError as error:
            statuses[type(error).__name__] += 1
        finally:
            connection.close()
        time.sleep(max(0.0, min(pause, until - time.monotonic())))


class Group:
    """Control groups of version 1 with half a core and 512 MB."""

    def __init__(self) -> None:
        name = f"ainews-small-{os.getpid()}"
        self.memory, self.cpu = GROUPS / "memory" / name, GROUPS / "cpu" / name
        self.accounts = GROUPS / "cpuacct" / name

    @property
    def folders(self) -> list[Path]:
        return [self.memory, self.cpu, self.accounts]

    def anonymous(self) -> int:
        stat = dict(line.split() for line in (self.memory / "memory.stat").read_text().splitlines())
        return int(stat["total_rss"])

    def killed(self) -> int:
        """How many processes the kernel killed because the group used all of its memory."""
        lines = (self.memory / "memory.oom_control").read_text().splitlines()
        return int(dict(line.split() for line in lines)["oom_kill"])

    def processes(self) -> list[int]:
        return [int(pid) for pid in (self.memory / "cgroup.procs").read_text().split()]

    def cpu_seconds(self) -> float:
        return int((self.accounts / "cpuacct.usage").read_text()) / 1e9

    def throttled_seconds(self) -> float:
        """How long its CPUs waited for the next period because the half core was used up."""
        lines = (self.cpu / "cpu.stat").read_text().splitlines()
        return int(dict(line.split() for line in lines)["throttled_time"]) / 1e9


@contextmanager
def small_group() -> Iterator[Group]:
    group = Group()
    for folder in group.folders:
        folder.mkdir()
    (group.memory / "memory.limit_in_bytes").write_text(str(MEMORY))
    (group.cpu / "cpu.cfs_period_us").write_text(str(PERIOD))
    (group.cpu / "cpu.cfs_quota_us").write_text(str(HALF_A_CORE))
    try:
        yield group
    finally:
        for folder in group.folders:
            for _ in range(100):  # a process leaves its group when it was waited for
                with suppress(OSError):
                    folder.rmdir()
                    break
                time.sleep(0.1)


@contextmanager
def serving(group: Group, port: int) -> Iterator[None]:
    joins = "; ".join(f"echo $$ > {folder}/cgroup.procs" for folder in group.folders)
    command = f"{joins}; exec {sys.executable} manage.py serve"
    started = time.monotonic()
    with Path(os.environ["DATA"], "serve.log").open("ab") as log:
        server = subprocess.Popen(
            ["/bin/sh", "-c", command], cwd=ROOT, stdout=log, stderr=log, start_new_session=True
        )
    try:
        while not is_open(port):
            assert server.poll() is None and time.monotonic() - started < PATIENCE
            time.sleep(0.1)
        print(f"listens after {time.monotonic() - started:.1f} s")
        yield
    finally:
        server.send_signal(signal.SIGTERM)
        try:
            server.wait(60)
        except subprocess.TimeoutExpired:
            for pid in group.processes():
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.wait()


class _Memory:
    """Samples the memory of the group."""

    def __init__(self, group: Group) -> None:
        self.group, self.anonymous, self.pss, self.processes = group, 0, 0, 0
        self.by_process = ""
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._ends.wait(1.0):
            self.anonymous = max(self.anonymous, self.group.anonymous())
            found: list[tuple[int, str]] = []
            for pid in self.group.processes():
                with suppress(psutil.Error):
                    process = psutil.Process(pid)
                    words = [word for word in process.cmdline()[1:4] if word != "-m"]
                    found.append((process.memory_full_info().pss, " ".join(words)))
            total = sum(pss for pss, _ in found)
            if total > self.pss:
                self.pss, self.processes = total, len(found)
                self.by_process = ", ".join(
                    f"{name} {pss / 2**20:.0f}" for pss, name in sorted(found, reverse=True)
                )

    def stop(self) -> None:
        self._ends.set()
        self._thread.join()


class _Poll:
    """Makes all sources due, and waits in a thread until the worker has polled them."""

    def __init__(self, started: str) -> None:
        self.started = started
        self._spent = 0.0
        shell(DUE)
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _watch(self) -> None:
        begun = time.monotonic()
        code = POLLED.replace("STARTED", repr(self.started))
        while time.monotonic() - begun < NEXT_POLL:
            self._spent = time.monotonic() - begun
            if (count := int(shell(code))) == SOURCES:
                return
            print(f"{count} sources polled after {self._spent:.0f} s", flush=True)
            time.sleep(10)

    def wait(self) -> float:
        self._thread.join()
        return self._spent


@contextmanager
def feeds() -> Iterator[int]:
    command = [sys.executable, str(ROOT / "benchmarks" / "feed_server.py")]
    options = map(str, [SOURCES + 1, NEW_ENTRIES, int(time.time()), SOURCES + 1])
    with subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield int(server.stdout.readline())
        server.kill()


def manage(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def shell(code: str) -> str:
    return manage("shell", "-v0", "-c", code)


if __name__ == "__main__":
    sys.exit(main())
