"""Compare the ingest of 500 feeds with 50 entries over loopback with that of `reader`.

    python benchmarks/ingest.py [--feeds 500] [--entries 50] [--server PROGRAM] [--root FOLDER]
        [--without-reader] [--postgres]

Measures whole processes, as a user runs them: their start, `manage.py poll --all` with grouping and
the search index, the same when no feed has changed, and `manage.py poll` when nothing is due; also
polling alone, without grouping. Prints items (or unchanged feeds) per CPU second, and peak memory.
With `--postgres`, CPU time includes the database server, but memory does not.

`--server` is a program that serves other feeds: it is started with `--port NUMBER`, and lists their
addresses at `/opml`. `--root` is another copy of this repository, to compare two versions.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.services import Postgres, free_port  # noqa: E402

PATIENCE = 300.0
"""Seconds that a program may need to generate its feeds."""

PREPARE = """
import sys
import django
django.setup()
from django.core.management import call_command
from feeds.models import Source
call_command("migrate", verbosity=0)
Source.objects.bulk_create(Source(url=url) for url in open(sys.argv[1]).read().split())
"""

POLL_ALONE = """
import django
django.setup()
from feeds.ingest.poll import poll_sources
from feeds.models import Source
report = poll_sources(list(Source.objects.values_list("pk", flat=True)))
assert not report.failed, report.failed[:1]
"""

COUNT = """
import django
django.setup()
from feeds.models import Item
print(Item.objects.count())
"""

READER_PREPARE = """
import sys
from reader import make_reader
reader = make_reader(sys.argv[2], search_enabled=True)
reader.enable_search()
for url in open(sys.argv[1]).read().split():
    reader.add_feed(url)
"""

READER_POLL = """
import sys
from reader import make_reader
reader = make_reader(sys.argv[1], search_enabled=True)
reader.update_feeds(workers=1, scheduled=False)
reader.update_search()
print(reader.get_entry_counts().total)
"""


@dataclass(frozen=True)
class Cost:
    """What a process cost: CPU seconds, with the database server's, and MiB at its peak."""

    cpu: float
    peak: float
    output: str


@dataclass(frozen=True)
class Costs:
    """What the runs of one program cost."""

    items: int
    first: Cost
    unchanged: Cost
    alone: Cost | None = None
    idle: Cost | None = None


class Runner:
    """Runs Python in a copy of the repository, with a database of its own."""

    def __init__(self, root: Path, data: Path, postgres: Postgres | None = None) -> None:
        self._root, self._postgres = root, postgres
        self._environment = os.environ | {
            "DATA": str(data),
            "DATABASE_URL": postgres.url() if postgres else "",
            "REDIS_URL": "",
            "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
            "FETCH_ALLOW_PRIVATE": "127.0.0.1",
            "PYTHONPATH": str(root),
        }

    def python(self, *arguments: str) -> Cost:
        """Run Python, and return what it and its child processes cost."""
        before = self._server_cpu()
        process = subprocess.Popen(
            [sys.executable, *arguments],
            env=self._environment,
            cwd=self._root,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        output = process.stdout.read()
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise SystemExit(f"{arguments} failed: {output}")
        cpu = used.ru_utime + used.ru_stime + self._server_cpu() - before
        return Cost(cpu, used.ru_maxrss / 1024, output)

    def _server_cpu(self) -> float:
        """Of PostgreSQL's processes, those that have ended included."""
        if self._postgres is None or self._postgres.process is None:
            return 0.0
        time.sleep(1)  # until the process of an ended connection is counted
        server = psutil.Process(self._postgres.process.pid)
        times = [process.cpu_times() for process in (server, *server.children(recursive=True))]
        ended = times[0].children_user + times[0].children_system
        return float(sum(spent.user + spent.system for spent in times) + ended)


def measure_ours(root: Path, data: Path, urls: Path, *, on_postgres: bool) -> Costs:
    alone = _poll_alone(root, data / "alone", urls, on_postgres=on_postgres)
    with Postgres() if on_postgres else nullcontext() as postgres:
        runner = Runner(root, data / "ours", postgres)
        runner.python("-c", PREPARE, str(urls))
        first = runner.python("manage.py", "poll", "--all")
        unchanged = runner.python("manage.py", "poll", "--all")
        idle = runner.python("manage.py", "poll")
        items = int(runner.python("-c", COUNT).output)
    return Costs(items, first, unchanged, alone, idle)


def _poll_alone(root: Path, data: Path, urls: Path, *, on_postgres: bool) -> Cost:
    with Postgres() if on_postgres else nullcontext() as postgres:
        runner = Runner(root, data, postgres)
        runner.python("-c", PREPARE, str(urls))
        return runner.python("-c", POLL_ALONE)


def measure_reader(data: Path, urls: Path) -> Costs:
    runner, path = Runner(ROOT, data), str(data / "reader.sqlite")
    runner.python("-c", READER_PREPARE, str(urls), path)
    first = runner.python("-c", READER_POLL, path)
    unchanged = runner.python("-c", READER_POLL, path)
    return Costs(int(first.output), first, unchanged)


@contextmanager
def served(program: Path | None, feeds: int, entries: int) -> Iterator[list[str]]:
    """Serve feeds meanwhile, and give their addresses."""
    own = ROOT / "benchmarks/feed_server.py"
    port = free_port()
    options = ["--port", str(port)] if program else [str(feeds), str(entries)]
    server = subprocess.Popen(
        [sys.executable, str(program or own), *options], stdout=subprocess.PIPE, text=True
    )
    try:
        if program:
            yield _listed(f"http://127.0.0.1:{port}/opml", server)[:feeds]
        else:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            yield [f"http://127.0.0.1:{port}/{number}.xml" for number in range(feeds)]
    finally:
        server.kill()
        server.wait()


def _listed(address: str, server: subprocess.Popen[str]) -> list[str]:
    until = time.monotonic() + PATIENCE
    while server.poll() is None and time.monotonic() < until:
        try:
            with urlopen(address) as response:
                return re.findall(r'xmlUrl="([^"]+)"', response.read().decode())
        except URLError:
            time.sleep(0.5)
    raise SystemExit(f"{address} does not answer.")


def show(name: str, costs: Costs, feeds: int) -> None:
    print(f"{name}: {costs.items:,} items")
    _line("poll everything", costs.first, f"{costs.items / costs.first.cpu:8,.0f} items/s")
    if costs.alone:
        _line("without grouping", costs.alone, f"{costs.items / costs.alone.cpu:8,.0f} items/s")
    _line("unchanged", costs.unchanged, f"{feeds / costs.unchanged.cpu:8,.0f} feeds/s")
    if costs.idle:
        _line("nothing due", costs.idle)


def _line(name: str, cost: Cost, rate: str = "") -> None:
    print(f"  {name:17} {cost.cpu:7.2f} CPU s {cost.peak:6.0f} MiB {rate:>18}", flush=True)


def compare(ours: Costs, theirs: Costs) -> None:
    """Print our rates as multiples of theirs."""
    base = theirs.first.cpu / theirs.items
    rates = [("whole command", ours.first), ("without grouping", ours.alone)]
    for name, cost in rates:
        if cost:
            print(f"{name}: {base * ours.items / cost.cpu:.1f} times reader")
    print(f"unchanged: {theirs.unchanged.cpu / ours.unchanged.cpu:.2f} times reader")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--entries", type=int, default=50)
    parser.add_argument("--server", type=Path, help="a program that serves other feeds")
    parser.add_argument("--root", type=Path, default=ROOT, help="the version to measure")
    parser.add_argument("--without-reader", action="store_true")
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    asked = parser.parse_args(arguments)
    with (
        served(asked.server, asked.feeds, asked.entries) as urls,
        tempfile.TemporaryDirectory() as folder,
    ):
        data = Path(folder)
        (data / "urls").write_text("\n".join(urls))
        ours = measure_ours(asked.root.resolve(), data, data / "urls", on_postgres=asked.postgres)
        show("AI News", ours, len(urls))
        if asked.without_reader:
            return
        theirs = measure_reader(data, data / "urls")
        show("reader", theirs, len(urls))
        compare(ours, theirs)


if __name__ == "__main__":
    main()
