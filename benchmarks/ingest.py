"""Compare the ingest of 500 feeds with 50 entries over loopback with that of `reader`.

    python benchmarks/ingest.py [--feeds 500] [--entries 50] [--without-reader] [--postgres]

Prints items (or unchanged feeds) per CPU second of the whole process, and its peak memory. With
`--postgres`, CPU time includes the database server, but memory does not.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from contextlib import nullcontext
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.services import Postgres  # noqa: E402

OURS = """
import json, os, resource, sys, time
import django, psutil
django.setup()
from django.conf import settings
from django.core.management import call_command
from feeds.ingest.poll import poll_sources
from feeds.models import Item, Source

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime + server_cpu()

def server_cpu():
    "Of PostgreSQL's processes, those that have ended included."
    if not (pid := os.environ.get("SERVER_PID")):
        return 0
    server = psutil.Process(int(pid))
    own, children = server.cpu_times(), server.children(recursive=True)
    spent = own.user + own.system + own.children_user + own.children_system
    return spent + sum(t.user + t.system for t in (child.cpu_times() for child in children))

port, feeds = sys.argv[1], int(sys.argv[2])
call_command("migrate", verbosity=0)
Source.objects.bulk_create(Source(url=f"http://127.0.0.1:{port}/{n}.xml") for n in range(feeds))
ids = list(Source.objects.values_list("pk", flat=True))
found = {}
start = cpu(); report = poll_sources(ids)
found["first"] = cpu() - start
assert not report.failed, report.failed[:1]
found["items"] = Item.objects.count()
try:
    from feeds.stories.grouping.group import group_new_items
    start = cpu()
    while group_new_items():
        pass
    found["group"] = cpu() - start
except ImportError:
    pass
start = cpu(); report = poll_sources(ids)
found["unchanged"] = cpu() - start
assert all(outcome.status == 304 for outcome in report.outcomes)
found["peak"] = peak_pss[0]
print(json.dumps(found))
"""

WATCH = """
import threading, time
peak_pss = [0]

def watch_memory():
    while True:
        with open("/proc/self/smaps_rollup") as lines:
            pss = next(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        peak_pss[0] = max(peak_pss[0], pss / 1024)
        time.sleep(0.5)

threading.Thread(target=watch_memory, daemon=True).start()
"""

READER = """
import json, resource, sys
from reader import make_reader

def cpu():
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime

port, feeds, path = sys.argv[1], int(sys.argv[2]), sys.argv[3]
reader = make_reader(path + "/reader.sqlite", search_enabled=True)
reader.enable_search()
for n in range(feeds):
    reader.add_feed(f"http://127.0.0.1:{port}/{n}.xml")
found = {}
start = cpu(); reader.update_feeds(workers=1, scheduled=False); reader.update_search()
found["first"] = cpu() - start
found["items"] = reader.get_entry_counts().total
start = cpu(); reader.update_feeds(workers=1, scheduled=False); reader.update_search()
found["unchanged"] = cpu() - start
found["peak"] = peak_pss[0]
print(json.dumps(found))
"""


def measure(
    script: str, *arguments: str, data: str, server: Postgres | None = None
) -> dict[str, float]:
    environment = os.environ | {
        "DATA": data,
        "DATABASE_URL": server.url() if server else "",
        "SERVER_PID": str(server.process.pid) if server and server.process else "",
        "REDIS_URL": "",
        "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
        "FETCH_ALLOW_PRIVATE": "127.0.0.1",
        "PYTHONPATH": str(ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-c", WATCH + script, *arguments],
        env=environment,
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def show(name: str, found: dict[str, float], feeds: int) -> None:
    items = found["items"]
    print(f"{name}")
    print(f"  first ingest       {items / found['first']:8,.0f} items per CPU second")
    if "group" in found:
        both = found["first"] + found["group"]
        print(f"  … and grouped      {items / both:8,.0f} items per CPU second")
    print(f"  500 unchanged      {feeds / found['unchanged']:8,.0f} feeds per CPU second")
    print(f"  peak memory (PSS)  {found['peak']:8,.0f} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--feeds", type=int, default=500)
    parser.add_argument("--entries", type=int, default=50)
    parser.add_argument("--without-reader", action="store_true")
    parser.add_argument("--postgres", action="store_true", help="instead of SQLite")
    asked = parser.parse_args()
    server = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "benchmarks/feed_server.py"),
            str(asked.feeds),
            str(asked.entries),
        ],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as data:
            with Postgres() if asked.postgres else nullcontext() as postgres:
                ours = measure(OURS, port, str(asked.feeds), data=data, server=postgres)
            show("AI News", ours, asked.feeds)
            if asked.without_reader:
                return
            theirs = measure(READER, port, str(asked.feeds), data, data=data)
            show("reader", theirs, asked.feeds)
        their_rate = theirs["items"] / theirs["first"]
        print(f"first ingest: {ours['items'] / ours['first'] / their_rate:.1f} times reader")
        if "group" in ours:
            grouped = ours["items"] / (ours["first"] + ours["group"])
            print(f"with grouping: {grouped / their_rate:.1f} times reader")
        print(f"unchanged: {theirs['unchanged'] / ours['unchanged']:.2f} times reader")
    finally:
        server.kill()


if __name__ == "__main__":
    main()
