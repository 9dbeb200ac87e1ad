"""Time the hourly update of trends, and the query of a reader's trends.

`python benchmarks/trends.py [--items N] [--days D] [--readers R]` creates N items a day (default
2,000) of 500 sources over D days (63), in SQLite, or with `--here` in the database of DATABASE_URL.
The words of titles have the frequencies of a language. 100 sources are private, and each of R
readers (20) follows ten of them, so that each reader is a separate audience. Prints NAME VALUE
lines.
"""

import argparse
import os
import random
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import accumulate
from pathlib import Path
from statistics import median, quantiles
from typing import Any

SOURCES, PRIVATE, FOLLOWED = 500, 100, 10
VOCABULARY, WORDS = 40_000, 7
SHARE_OF_UPDATES = 0.25
"""The share of items that belong to an earlier story."""
RUNS = 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=2_000, help="a day")
    parser.add_argument("--days", type=int, default=63)
    parser.add_argument("--readers", type=int, default=20)
    parser.add_argument("--here", action="store_true", help="in DATABASE_URL")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as data:
        os.environ["DATA"] = data
        if not options.here:
            os.environ["DATABASE_URL"] = ""
        start_django()
        measure(options.items, options.days, options.readers)


def start_django() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def measure(a_day: int, days: int, readers: int) -> None:
    from feeds.models import Item, TermDay, TrendBoard
    from feeds.trends import board, count, update
    from feeds.trends.describe import describe
    from feeds.trends.find import find_rises
    from feeds.trends.tallies import load, restrict_to

    now = datetime.now(UTC)
    users, sources = fill(a_day, days, readers, now)
    show("trends_items", Item.objects.count())
    show("trends_first_count_cpu_s", timed(lambda: count.count_days(now)))
    add(Filler(sources, 99), a_day // 24, now, hours=1)
    show("trends_hourly_count_cpu_s", timed(lambda: count.count_days(now)))
    show("trends_rows", TermDay.objects.count())
    tallies: Any = None

    def read() -> None:
        nonlocal tallies
        tallies = load(now.date())

    show("trends_load_cpu_s", timed(read))
    show("trends_terms", len(tallies.terms))
    audiences = [chosen for chosen, _ in board.audiences()]

    def find(sources: frozenset[int]) -> None:
        visible = restrict_to(tallies, sources)
        describe(visible, find_rises(visible))

    times = [timed(partial(find, chosen)) for chosen in audiences]
    show("trends_audience_cpu_s", median(times))
    show("trends_update_cpu_s", timed(lambda: update.update_trends(now)))
    show("trends_boards", TrendBoard.objects.count())
    waits = [partial(board.trends_for, users[n % len(users)], now) for n in range(RUNS)]
    reads = [1000 * timed(wait, time.perf_counter) for wait in waits]
    show("trends_read_p50_ms", median(reads))
    show("trends_read_p95_ms", quantiles(reads, n=20)[-1])
    show("trends_peak_mib", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def timed(act: Callable[[], object], clock: Callable[[], float] = time.process_time) -> float:
    """Run an action and return its duration in seconds, by default in CPU time."""
    started = clock()
    act()
    return clock() - started


def show(name: str, value: float) -> None:
    print(f"{name} {value:.0f}" if value >= 100 else f"{name} {value:.3g}", flush=True)


class Filler:
    """Generates titles and their sources."""

    def __init__(self, sources: list[int], seed: int) -> None:
        self.random = random.Random(seed)
        self.sources = sources
        maker = random.Random(1)
        letters = "bcdfghjklmnprstvwz"
        self.words = [
            "".join(
                maker.choice(letters) + maker.choice("aeiou") for _ in range(maker.randint(2, 4))
            )
            for n in range(VOCABULARY)
        ]
        self.weights = list(accumulate(1 / (n + 20) for n in range(VOCABULARY)))
        self.productive = list(accumulate(1 / (n + 10) for n in range(len(sources))))

    def title(self) -> str:
        words = self.random.choices(self.words, cum_weights=self.weights, k=WORDS)
        return f"{' '.join(words[:3])} for {' '.join(words[3:5])} and {' '.join(words[5:])}".title()

    def source(self) -> int:
        return self.random.choices(self.sources, cum_weights=self.productive)[0]


def fill(a_day: int, days: int, readers: int, now: datetime) -> tuple[list[Any], list[int]]:
    from accounts.models import User
    from feeds.core.partitions import ensure_months_ahead
    from feeds.models import Source, Subscription

    ensure_months_ahead()
    rows = [
        Source(url=f"https://s{n}.example/feed", title=f"Outlet {n}", is_public=n >= PRIVATE)
        for n in range(SOURCES)
    ]
    sources = [row.pk for row in Source.objects.bulk_create(rows)]
    Source.objects.update(created_at=now - timedelta(days=200))
    users = [User.objects.create(username=f"reader{n}") for n in range(readers)]
    Subscription.objects.bulk_create(
        Subscription(user=user, source_id=sources[(n * FOLLOWED + m) % PRIVATE])
        for n, user in enumerate(users)
        for m in range(FOLLOWED)
    )
    filler = Filler(sources, 7)
    for day in reversed(range(days)):
        add(filler, a_day, now - timedelta(days=day), hours=24)
    return users, sources


def add(filler: Filler, items: int, end: datetime, hours: int) -> None:
    """Insert items and stories that were published in the hours before `end`."""
    from django.db import transaction

    from feeds.coordination.revisions import latest_seq
    from feeds.core.bulk import insert_rows
    from feeds.core.ids import make_id
    from feeds.models import Item, ItemKey, Story

    seq, keys, stories, rows = latest_seq(), [], [], []
    for _ in range(items):
        moment = end - timedelta(seconds=filler.random.random() * hours * 3600)
        seq += 1
        pk, title, source = make_id(moment, seq), filler.title(), filler.source()
        story = pk
        if stories and filler.random.random() < SHARE_OF_UPDATES:
            story = filler.random.choice(stories)[0]
        else:
            stories.append((pk, title, moment, moment, 1, 1, 0, "[]", seq, False))
        keys.append((seq, source, seq, seq, pk))
        rows.append(
            (pk, seq, source, story, False, "", title, "", "", "", "", "[]", moment, moment, 0)
        )
    columns = (
        "id title first_at last_at item_count source_count copy_count topics last_seq title_pinned"
    )
    with transaction.atomic():
        insert_rows(ItemKey, ("seq", "source_id", "key_hash", "alt_hash", "item_id"), keys)
        insert_rows(Story, columns.split(), stories)
        columns = (
            "id seq source_id story_id story_pinned url title author summary image_url language"
            " topics published_at fetched_at content_hash"
        )
        insert_rows(Item, columns.split(), rows)


if __name__ == "__main__":
    main()
