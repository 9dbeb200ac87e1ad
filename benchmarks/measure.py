"""Time the actions of a reader, in the database of DATABASE_URL and DATA.

`benchmarks/scale.py` runs this. The reader is reader 1 of the library, who follows 100 sources from
busy to quiet and has read nothing.
"""

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import django

from ainews_site.infra.gc_tuning import freeze_loaded_objects
from benchmarks.library import FUNCTION_WORDS, Words
from tests.services import free_port, is_open

ROOT = Path(__file__).resolve().parent.parent
RUNS, WARM_UP = 60, 3
SECONDS_OF_EIGHT = 6
QUIET = 3
"""Number of quiet sources in the folder of the reader."""
ENTRIES = 50
TABLES = (
    "feeds_item",
    "feeds_itembody",
    "feeds_search",
    "feeds_itemkey",
    "feeds_story",
    "feeds_itemstate",
)


@dataclass
class Act:
    """An action that is timed, as a function call and (if it has one) as a page.

    The cache is cleared before each call if not `keeps_cache`. Pages are timed with the cache.
    """

    name: str
    call: Callable[[], object]
    page: str = ""
    undo: Callable[[], object] | None = None
    keeps_cache: bool = False


def main() -> None:
    django.setup()
    show_size()
    user, acts = reader_and_acts()
    freeze_loaded_objects()  # web processes do the same
    client = signed_in(user)
    if is_postgres():
        show_plan(user)
    print(
        f"{'milliseconds':32} {'call p50':>9} {'p95':>7} {'max':>7} {'queries':>8} {'page p95':>9}"
    )
    for act in acts:
        show(act, client)
    show_eight(acts, client.cookies["sessionid"].value)


def is_postgres() -> bool:
    from django.db import connection

    return bool(connection.vendor == "postgresql")


def show_size() -> None:
    """Print the size of the database, and of its tables per item."""
    from django.db import connection

    from feeds.models import ItemKey

    items = ItemKey.objects.order_by("-seq").values_list("seq", flat=True).first() or 1
    with connection.cursor() as cursor:
        if not is_postgres():
            size = Path(connection.settings_dict["NAME"]).stat().st_size
            print(f"{items:,} items, {size / 2**30:.2f} GiB, {size / items:,.0f} bytes an item")
            return
        cursor.execute("SELECT pg_database_size(current_database())")
        size = cursor.fetchone()[0]
        print(f"{items:,} items, {size / 2**30:.2f} GiB, {size / items:,.0f} bytes an item:")
        for table in TABLES:
            cursor.execute(
                "SELECT sum(pg_relation_size(c.oid)), sum(pg_indexes_size(c.oid)),"
                " sum(COALESCE(pg_total_relation_size(NULLIF(c.reltoastrelid, 0)), 0))"
                " FROM pg_class c WHERE c.relkind = 'r' AND (c.oid = %s::regclass OR c.oid IN"
                " (SELECT inhrelid FROM pg_inherits WHERE inhparent = %s::regclass))",
                [table, table],
            )
            rows, indexes, toast = (float(part or 0) / items for part in cursor.fetchone())
            print(f"  {table:16} rows {rows:6,.0f}  toast {toast:6,.0f}  indexes {indexes:6,.0f}")


def reader_and_acts() -> tuple[Any, list[Act]]:
    from accounts.models import User
    from feeds.models import Folder, ItemKey, Subscription
    from feeds.reading.filters import Filters
    from feeds.reading.front_page import front_page_sections
    from feeds.reading.marks import mark_all_read, undo_mark
    from feeds.reading.river import river
    from feeds.reading.unread import unread_counts
    from feeds.search.run import search_items

    user = User.objects.get(pk=1)
    followed = Subscription.objects.filter(user=user).order_by("-source_id")
    folder, _ = Folder.objects.get_or_create(user=user, name="Quiet")
    quiet = list(followed.values_list("pk", flat=True)[:QUIET])
    Subscription.objects.filter(pk__in=quiet).update(folder=folder)
    newest = ItemKey.objects.order_by("-seq").values_list("seq", flat=True)[0]
    made: list[int] = []

    def mark() -> None:
        made.append(mark_all_read(user, None, newest).pk)

    known = Words().words[len(FUNCTION_WORDS.split()) :]
    common = known[5]
    words = {
        "search, rare word": "zanzibar",
        "search, middling word": "timbuktu",
        "search, common word": common,
        "search, phrase": '"harbour lighthouse"',
        "search, question": f"what did timbuktu say of {known[40]} and {known[300]} in {common}?",
        "search, common words": f"{common} {known[9]} {known[20]} {known[31]} zanzibarr",
    }
    return user, [
        Act("river", lambda: river(user, Filters()), "/river/"),
        Act("river, unread only", lambda: river(user, Filters(unread=True)), "/river/?unread=1"),
        Act(
            "river, three quiet sources",
            lambda: river(user, Filters(folder_id=folder.pk)),
            f"/river/?folder={folder.pk}",
        ),
        Act("stories, ranked", lambda: front_page_sections(user), "/"),
        *(
            Act(name, lambda text=text: search_items(user, text), f"/search/?q={text}")
            for name, text in words.items()
        ),
        Act("unread counts", lambda: unread_counts(user), "/api/v1/sources/"),
        Act("unread counts, remembered", lambda: unread_counts(user), keeps_cache=True),
        Act("mark all read", mark, undo=lambda: undo_mark(user, made.pop())),
        Act("store a feed of 50", Storing()),
    ]


class Storing:
    """Stores 50 new entries of a source with each call."""

    def __init__(self) -> None:
        self.words, self.calls = Words(), 0

    def prepare(self) -> None:
        import numpy as np
        from django.utils import timezone

        from feeds.ingest.parse.types import CleanEntry

        self.now = timezone.now()
        chance = np.random.default_rng(time.time_ns())
        self.entries = []
        for number in range(ENTRIES):
            text = " ".join(self.words.draw(chance, 110))
            own = int(chance.integers(-(1 << 62), 1 << 62))
            self.entries.append(
                CleanEntry(
                    *(own, own + 1, own + 2),
                    url=f"https://outlet.example/{own}",
                    title=text[:70],
                    author="A. Writer",
                    summary=text[:300],
                    html=f"<p>{text}</p>",
                    text=text,
                    published=self.now - timedelta(minutes=number),
                )
            )

    def __call__(self) -> None:
        from feeds.ingest.store import store_entries

        self.calls += 1
        stored = store_entries(
            self.calls % 400 + 1, self.entries, now=self.now, topics=["models"], language="en"
        )
        assert len(stored.new_ids) == ENTRIES


def signed_in(user: Any) -> Any:
    from django.test import Client

    client = Client(SERVER_NAME="127.0.0.1")
    client.force_login(user)
    return client


def show_plan(user: Any) -> None:
    """Print how many partitions the query of the newest page reads."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from feeds.reading.filters import Filters
    from feeds.reading.river import river

    with CaptureQueriesContext(connection) as caught:
        river(user, Filters())
    query_of_page = next(query["sql"] for query in caught if "UNION ALL" in query["sql"])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, COSTS OFF) {query_of_page}")
        lines = [line for (line,) in cursor.fetchall()]
    scans = [line for line in lines if " on feeds_item_" in line]
    touched = {line.split(" on ")[1].split()[0] for line in scans if "never executed" not in line}
    times = [line for line in lines if line.startswith(("Planning", "Execution"))]
    print(
        f"newest page: {len(touched)} partition(s) touched ({', '.join(sorted(touched))}); {times}"
    )


def show(act: Act, client: Any) -> None:
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    prepare = getattr(act.call, "prepare", (lambda: None) if act.keeps_cache else cache.clear)
    times, pages = [], []
    for run in range(RUNS + WARM_UP):
        prepare()
        started = time.perf_counter()
        act.call()
        spent = time.perf_counter() - started
        if act.undo:
            act.undo()
        if run >= WARM_UP:
            times.append(spent * 1000)
    prepare()
    with CaptureQueriesContext(connection) as caught:
        act.call()
    queries = len(caught)
    if act.undo:
        act.undo()
    for run in range(RUNS + WARM_UP if act.page else 0):
        started = time.perf_counter()
        response = client.get(act.page)
        spent = time.perf_counter() - started
        assert response.status_code == 200, act.page
        if run >= WARM_UP:
            pages.append(spent * 1000)
    page = f"{p95(pages):9.1f}" if pages else f"{'':9}"
    print(
        f"{act.name:32} {statistics.median(times):9.1f} {p95(times):7.1f} {max(times):7.1f}"
        f" {queries:8} {page}",
        flush=True,
    )


def p95(values: list[float]) -> float:
    return statistics.quantiles(values, n=20)[-1]


def show_eight(acts: list[Act], session: str) -> None:
    """Print requests per second of eight clients, with gunicorn (2 processes, 4 threads each)."""
    port = free_port()
    bind = ["-b", f"127.0.0.1:{port}", "-w", "2", "-k", "gthread", "--threads", "4"]
    server = subprocess.Popen(
        [sys.executable, "-m", "gunicorn", *bind, "--log-level", "error", "ainews_site.wsgi"],
        cwd=ROOT,
        env=os.environ | {"DATABASE_POOL": "4"},
    )
    try:
        until = time.monotonic() + 30
        while not is_open(port) and time.monotonic() < until:
            time.sleep(0.1)
        print(f"{'eight clients':32} {'pages/s':>9} {'p95 ms':>7}")
        for act in acts:
            if act.page:
                rate, slow = _eight(f"http://127.0.0.1:{port}{act.page}", session)
                print(f"{act.name:32} {rate:9.1f} {slow:7.0f}", flush=True)
    finally:
        server.terminate()
        server.wait()


def _eight(address: str, session: str) -> tuple[float, float]:
    command = [sys.executable, "-m", "benchmarks.clients", address, session, str(SECONDS_OF_EIGHT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rate, slow = done.stdout.split()
    return float(rate), float(slow)


if __name__ == "__main__":
    main()
