"""A trial of AI News on two PostgreSQL servers: the items of half the months are on the second one.

    python benchmarks/second_server.py [--items 1000000] [--folder DIR] [--runs 20]

Works on a copy of the library of benchmarks/pages.py. Moves the older half of the partitions of
items, bodies and search vectors to a second server, where postgres_fdw reads them as foreign
partitions (benchmarks/foreign_partitions.py). Prints for each page the CPU milliseconds of a
request, of the application and each server, before and after; whether it shows the same; and what
else works: marks, ingest, archive, backup, and pages while the second server is down.
"""

import argparse
import os
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import foreign_partitions, page_library  # noqa: E402
from benchmarks.budgets import POSTGRES  # noqa: E402
from benchmarks.pages import ITEMS, database_of  # noqa: E402
from benchmarks.scale import SAFE, SERVER  # noqa: E402
from benchmarks.served import Browser, Clock, Page, gunicorn  # noqa: E402
from tests.services import Postgres  # noqa: E402

WARM_UP = 3
LINKS = re.compile(rb'href="/(item|story)/(\d+)/')


@dataclass(frozen=True)
class Measured:
    """CPU milliseconds of a request, in the application and in each server; what it links to."""

    application: float
    first: float
    second: float
    queries: int
    links: list[tuple[bytes, bytes]]


@dataclass
class Trial:
    first: Postgres
    second: Postgres
    pages: list[Page]
    runs: int

    def visit(self) -> None:
        """Open all pages, as some of them show which were opened."""
        with gunicorn() as (port, _):
            for page in self.pages:
                Browser(port, Clock([]))._get(page.path, page.headers)

    def measure(self) -> dict[str, Measured]:
        with gunicorn() as (port, pid):
            return {page.name: self._measure(page, port, pid) for page in self.pages}

    def _measure(self, page: Page, port: int, pid: int) -> Measured:
        clocks = [Clock([pid]), Clock([_pid(self.first)]), Clock([_pid(self.second)])]
        browser = Browser(port, Clock([pid, _pid(self.first), _pid(self.second)]))
        spent: list[list[float]] = []
        for run in range(WARM_UP + self.runs):
            before = [_total(clock) for clock in clocks]
            answer = browser.measure(page)
            if run >= WARM_UP:
                spent.append(
                    [_total(clock) - old for clock, old in zip(clocks, before, strict=True)]
                )
        application, first, second = (median(values) for values in zip(*spent, strict=True))
        return Measured(application, first, second, answer.queries, LINKS.findall(answer.body))


def _pid(server: Postgres) -> int:
    assert server.process is not None
    return server.process.pid


def _total(clock: Clock) -> float:
    live, ended = clock.read()
    return (sum(live.values()) + ended) / 1e6


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=ITEMS[POSTGRES])
    parser.add_argument("--folder", type=Path, default=ROOT / "var" / "bench")
    parser.add_argument("--runs", type=int, default=20, help="requests of each page")
    asked = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the servers must end too
    library = asked.folder.resolve() / f"pages-{POSTGRES}-{asked.items}"
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.folder, prefix="second-") as name:
        place = Path(name) / library.name
        Path(name).chmod(0o755)  # PostgreSQL runs as another user
        if page_library.read_facts(library) is not None:
            shutil.copytree(library, place, copy_function=shutil.copy2)
            _own(place / "postgres")
        with (
            database_of(POSTGRES, place, asked.items) as first,
            Postgres(**SERVER | SAFE) as second,
        ):
            assert first is not None
            return _try_out(first, second, place, asked.runs)


def _own(folder: Path) -> None:
    """Give the copied files to PostgreSQL's user, as copies belong to who made them."""
    if os.geteuid() == 0:
        for path in [folder, *folder.rglob("*")]:
            shutil.chown(path, "postgres", "postgres")


def _try_out(first: Postgres, second: Postgres, place: Path, runs: int) -> int:
    from django.db import connections

    facts = page_library.read_facts(place)
    assert facts is not None
    page_library.Newsroom(facts).take_back()
    pages = page_library.prepare(facts)
    spans = foreign_partitions.older_half()
    trial = Trial(first, second, [*pages, *_old_pages(spans, pages[0].headers)], runs)
    connections.close_all()
    trial.visit()
    before = trial.measure()
    began = time.monotonic()
    moved = foreign_partitions.move(first, second, spans)
    seconds = time.monotonic() - began
    print(
        f"{moved:,} items of {len(spans)} partitions moved in {seconds:.0f} s;"
        f" {second.sql('SELECT pg_database_size(current_database())')} bytes"
    )
    after = trial.measure()
    differing = _show_pages(before, after)
    works = _show_checks(trial, spans)
    return int(bool(differing) or not works)


def _old_pages(spans: list[Any], headers: dict[str, str]) -> list[Page]:
    """Pages that show what is moved: an item, its story, and searches that reach so far back."""
    from accounts.models import User
    from feeds.models import Item

    user = User.objects.get(pk=page_library.READER)
    item = Item.objects.subscribed_by(user).filter(id__lt=spans[-1].high).newest_first()[0]
    day = item.published_at.date()
    search = f"/search/?q=lighthouse+before:{day:%Y-%m-%d}"
    return [
        Page("old item", f"/item/{item.pk}/", headers),
        Page("old story", f"/story/{item.story_id}/", headers),
        Page("search in old months", search, headers),
        Page("river of a quiet source", f"/river/?source={item.source_id}", headers),
    ]


def _show_pages(before: dict[str, Measured], after: dict[str, Measured]) -> list[str]:
    """Print the costs of the pages. Returns the names of those that show something else."""
    print(f"{'CPU ms a request':26} {'one server':>20}   {'two servers':>28}  queries")
    print(f"{'':26} {'web':>9} {'first':>10}   {'web':>8} {'first':>9} {'second':>9}")
    differing = []
    for name, old in before.items():
        new = after[name]
        is_same = set(old.links) == set(new.links)
        print(
            f"{name:26} {old.application:9.1f} {old.first:10.1f}   {new.application:8.1f}"
            f" {new.first:9.1f} {new.second:9.1f}  {new.queries:7}"
            f"{'' if is_same else '  shows something else'}",
            flush=True,
        )
        if not is_same:
            differing.append(name)
    return differing


def _show_checks(trial: Trial, spans: list[Any]) -> bool:
    """Print what works. Returns whether all works that should."""
    works = True
    for name, check in checks(trial, spans).items():
        try:
            outcome = check()
        except Exception as error:  # noqa: BLE001 - what fails is a result
            outcome, works = f"fails: {' '.join(str(error).split())[:200]}", False
        print(f"{name:26} {outcome}", flush=True)
    print(f"{'archive of a moved month':26} {_attempt(lambda: _archive(spans))}")
    print(f"{'while the second is down':26} {_without_second(trial)}")
    return works


def checks(trial: Trial, spans: list[Any]) -> dict[str, Callable[[], str]]:
    return {
        "mark an old item": lambda: _mark(spans),
        "ingest of new entries": lambda: _ingest(datetime.now(UTC), trial.first),
        "ingest of an old entry": lambda: _ingest(_middle(spans), trial.second),
        "change of an old item": lambda: _change(spans),
        "partition of a new month": _new_month,
        "backup": lambda: _back_up(spans),
    }


def _middle(spans: list[Any]) -> datetime:
    from feeds.core.ids import id_time

    return id_time(spans[-1].low) + timedelta(days=3)


def _old_item(spans: list[Any]) -> Any:
    from feeds.models import Item

    return Item.objects.filter(id__gte=spans[-1].low, id__lt=spans[-1].high).newest_first()[0]


def _mark(spans: list[Any]) -> str:
    from accounts.models import User
    from feeds.models import ItemState, Subscription
    from feeds.reading.marks import set_state

    item, user = _old_item(spans), User.objects.get(pk=page_library.READER)
    Subscription.objects.get_or_create(user=user, source_id=item.source_id)
    assert set_state(user, [item.pk], saved=True) == [item.pk]
    assert ItemState.objects.get(user=user, item_id=item.pk).is_saved
    return "works"


def _ingest(published: datetime, server: Postgres) -> str:
    """Store ten entries, and look for them on the server that they belong to."""
    import random

    from benchmarks.library import Words
    from feeds.ingest.store import store_entries
    from feeds.models import Item

    chance, words = random.Random(), Words()
    entries = [page_library.make_entry(words, chance, published) for _ in range(10)]
    began = _total(Clock([_pid(server)]))
    new = store_entries(3, entries, now=datetime.now(UTC), language="en").new_ids
    spent = _total(Clock([_pid(server)])) - began
    assert len(new) == 10 == Item.objects.filter(pk__in=new).count()
    return f"works: {spent / 10:.1f} CPU ms an entry on its server"


def _change(spans: list[Any]) -> str:
    """Change the text of an old item. The triggers of the first server renew its search vector."""
    from django.db import connection

    from feeds.models import ItemBody

    item = _old_item(spans)
    assert ItemBody.objects.filter(pk=item.pk).update(text="A word like quagga.") == 1
    with connection.cursor() as cursor:
        query = "SELECT vector @@ 'quagga'::tsquery FROM feeds_search WHERE item_id = %s"
        cursor.execute(query, [item.pk])
        assert cursor.fetchone() == (True,)
    return "works, and the search finds it"


def _new_month() -> str:
    from feeds.core.partitions import ensure_months_ahead, missing_partitions

    created = ensure_months_ahead(datetime.now(UTC) + timedelta(days=70))
    assert created and not missing_partitions()
    keys = foreign_partitions.unique_keys([span.table("feeds_item") for span in created])
    assert len(keys) == len(created), "a new partition has no primary key"
    return "works, with its primary key"


def _back_up(spans: list[Any]) -> str:
    from ainews_site.backup.sqlite import make_backup

    with tempfile.TemporaryDirectory() as folder:
        size = make_backup(Path(folder)).stat().st_size
    return f"works for the first server ({size:,} bytes); back up the second by itself"


def _archive(spans: list[Any]) -> str:
    from feeds.archive.store import archive_months
    from feeds.core.ids import id_time

    with tempfile.TemporaryDirectory() as folder:
        archived = archive_months(
            Path(folder), id_time(spans[0].high) + timedelta(days=1), lambda *_: None
        )
    return f"works: {len(archived)} months"


def _attempt(check: Callable[[], str]) -> str:
    """Return what a check says, or how it fails, which is a limit that is known."""
    try:
        return check()
    except Exception as error:  # noqa: BLE001
        return f"does not work: {' '.join(str(error).split())[:150]}"


@contextmanager
def _silent() -> Iterator[None]:
    """Send what processes write to standard error nowhere: a traceback for each page that fails."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _without_second(trial: Trial) -> str:
    """Stop the second server, and return which pages are still answered."""
    trial.second.stop()
    answered, failed = [], []
    with _silent(), gunicorn() as (port, _):
        for page in trial.pages:
            browser = Browser(port, Clock([]))
            with suppress(AssertionError):
                browser._get(page.path, page.headers)
                answered.append(page.name)
                continue
            failed.append(page.name)
    return f"{len(answered)} pages work ({', '.join(answered)}); {', '.join(failed)} do not"


if __name__ == "__main__":
    sys.exit(main())
