"""Measure what pages cost, and fail if one costs more than its budget by a fifth.

    python benchmarks/pages.py [--database postgres] [--items N] [--folder DIR] [--only NAME]

Gunicorn serves the pages with the command of deploy/, by one process, to one client: a reader of
100 of 500 sources (benchmarks/library.py) on SQLite with 255,000 items, or on PostgreSQL with a
million and with Redis. Prints for each page the CPU milliseconds of a request, application and
PostgreSQL together, its queries and its bytes, with the budgets of benchmarks/budgets.py.
"changed" is the first request after a new item has arrived and the reader has saved it, where it
differs. The second table has what the page of stories loads.

CPU time and queries count, not time, so that other work on the machine matters little. The library
is kept in the folder and filled again when it is older than three days.
"""

import argparse
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean, median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import page_library as extras  # noqa: E402
from benchmarks.assets import is_script, load_all  # noqa: E402
from benchmarks.budgets import (  # noqa: E402
    BUDGETS,
    HEADING,
    POSTGRES,
    SQLITE,
    Cost,
    count_beyond,
    line_of,
    table_of_bytes,
)
from benchmarks.library import Library  # noqa: E402
from benchmarks.scale import (  # noqa: E402
    HASTY,
    SAFE,
    SERVER,
    PersistentPostgres,
    _environment,
    _give_to_postgres,
    _show_steps,
)
from benchmarks.served import Answer, Browser, Clock, Page, gunicorn  # noqa: E402
from tests.services import Redis  # noqa: E402

ITEMS = {SQLITE: 255_000, POSTGRES: 1_000_000}
WARM_UP, RUNS, CHANGES = 5, 40, 7
LEAST_RUNS, LONGEST_MS = 10, 4_000
OLDEST = 3 * 86_400
"""Seconds for which a library is used: pages show news of the last days."""
STEADY = {"autovacuum": "off", "shared_buffers": "1GB"}
"""Settings of PostgreSQL for measuring. Vacuuming is not the work of a page."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--database", choices=(SQLITE, POSTGRES), default=SQLITE)
    parser.add_argument("--items", type=int, help="255,000, or in PostgreSQL a million")
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--runs", type=int, default=RUNS, help="requests of each page")
    parser.add_argument("--only", action="append", default=[], help="pages with this in their name")
    asked = parser.parse_args()
    items = asked.items or ITEMS[asked.database]
    place = asked.folder.resolve() / f"pages-{asked.database}-{items}"
    with database_of(asked.database, place, items) as server:
        print(f"{asked.database}, {items:,} items; CPU of application and database a request")
        costs, values = _measure(asked.database, server, place, asked)
    print("\n".join(table_of_bytes(values)))
    beyond = count_beyond(costs, values, asked.database)
    print(f"{beyond} rows are beyond their budget by more than a fifth." if beyond else "Within.")
    return 1 if beyond else 0


@contextmanager
def database_of(kind: str, place: Path, items: int) -> Iterator[PersistentPostgres | None]:
    """Run the database of a filled library. Yields PostgreSQL, if it is PostgreSQL."""
    is_new = not is_filled(place)
    if is_new:
        shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True, exist_ok=True)
    database = _postgres if kind == POSTGRES else _sqlite
    with database(place, is_new, items) as server:
        yield server


def is_filled(place: Path) -> bool:
    """Return True if the library is complete and new enough."""
    return extras.read_facts(place) is not None and _age(place) <= OLDEST


def _age(place: Path) -> float:
    return time.time() - (place / "facts.json").stat().st_mtime


@contextmanager
def _sqlite(place: Path, is_new: bool, items: int) -> Iterator[None]:
    _start_django(place, "", "")
    if is_new:
        from benchmarks.fill_sqlite import fill

        _fill(fill, place, items)
    yield None


@contextmanager
def _postgres(place: Path, is_new: bool, items: int) -> Iterator[PersistentPostgres]:
    """The data directory is below `place`. Both servers have the same port, because settings read
    it once."""
    folder = place / "postgres"
    folder.mkdir(exist_ok=True)
    _give_to_postgres(folder)
    server = PersistentPostgres(folder, **SERVER | SAFE | STEADY)
    with Redis() as redis:
        server.redis = redis
        if is_new:
            with PersistentPostgres(folder, **SERVER | HASTY) as filling:
                server.port = filling.port
                _start_django(place, server.url(), redis.url)
                from benchmarks.fill_postgres import fill

                _fill(fill, place, items)
        with server:
            if not is_new:
                _start_django(place, server.url(), redis.url)
            yield server


def _start_django(place: Path, url: str, redis: str) -> None:
    """As in deploy/: with Redis beside PostgreSQL, and all limits at their defaults."""
    os.environ.update(_environment(place, url) | {"REDIS_URL": redis, "LOG_LEVEL": "WARNING"})
    del os.environ["COSTLY_AT_ONCE"]
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _fill(fill: Any, place: Path, items: int) -> None:
    from django.db import connections

    print(f"Filling {place}, once. This takes minutes.", flush=True)
    library = Library(items, datetime.now(UTC))
    seconds = fill(library)
    started = time.perf_counter()
    facts = extras.extend(library)
    seconds["large readers and stories"] = time.perf_counter() - started
    extras.write_facts(place, facts)
    _show_steps(seconds)
    connections.close_all()


def _measure(
    kind: str, server: PersistentPostgres | None, place: Path, asked: argparse.Namespace
) -> tuple[dict[str, Cost], dict[str, float]]:
    facts = extras.read_facts(place)
    assert facts is not None
    newsroom = extras.Newsroom(facts)
    newsroom.take_back()
    pages = extras.prepare(facts)
    assert {page.name for page in pages} == BUDGETS.keys()
    chosen = [page for page in pages if any(part in page.name for part in asked.only or [""])]
    costs = {}
    with gunicorn() as (port, pid):
        browser = Browser(port, _clock(pid, server))
        print(HEADING, flush=True)
        try:
            for page in chosen:
                costs[page.name] = _cost_of(page, browser, newsroom, asked.runs)
                print(line_of(page.name, costs[page.name], kind), flush=True)
        finally:
            newsroom.take_back()
        return costs, _bytes_of(browser, pages[0]) if pages[0] in chosen else {}


def _clock(gunicorn: int, server: PersistentPostgres | None) -> Clock:
    if server is None or server.process is None:
        return Clock([gunicorn])
    from django.db import connection

    connection.ensure_connection()
    return Clock([gunicorn, server.process.pid], own={connection.connection.info.backend_pid})


def _cost_of(page: Page, browser: Browser, newsroom: extras.Newsroom, runs: int) -> Cost:
    for _ in range(WARM_UP):
        browser.measure(page)
    steady: list[Answer] = []
    while len(steady) < runs and not _are_enough(steady):
        steady.append(browser.measure(page))
    changed = []
    for _ in range(CHANGES):
        newsroom.change()
        changed.append(browser.measure(page))
    return Cost(
        cpu=_cpu(steady),
        queries=int(median(answer.queries for answer in steady)),
        cpu_after_change=_cpu(changed),
        queries_after_change=int(median(answer.queries for answer in changed)),
        raw=len(steady[-1].body),
        sent=steady[-1].sent,
    )


def _are_enough(answers: list[Answer]) -> bool:
    """Whether a page that costs very much was measured long enough."""
    return len(answers) >= LEAST_RUNS and sum(answer.ms for answer in answers) > LONGEST_MS


def _cpu(answers: list[Answer]) -> float:
    """The median. Processes that ended are known to 10 ms only, so they count by the mean."""
    return median(answer.ms for answer in answers) + mean(answer.ms_ended for answer in answers)


def _bytes_of(browser: Browser, stories: Page) -> dict[str, float]:
    page = browser.measure(stories)
    loaded = load_all(stories.path, page.body, browser.get)
    scripts = sum(sent for address, sent in loaded.items() if is_script(address))
    return {
        "requests": 1 + len(loaded),
        "HTML, KB raw": len(page.body) / 1000,
        "HTML, KB sent": page.sent / 1000,
        "JavaScript, KB sent": scripts / 1000,
        "everything, KB sent": (page.sent + sum(loaded.values())) / 1000,
    }


if __name__ == "__main__":
    sys.exit(main())
