"""Time the actions of a reader: unread list, search, unread counts, "mark all read".

`python benchmarks/reading.py` uses 25,000 items of 500 sources, all unread and within the horizon,
with `--large` 255,000. It prints the median and the slowest of many runs, the number of queries,
and the speed of storing.
"""

import argparse
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

SOURCES = 500
SMALL, LARGE = 25_000, 255_000
BATCH = 50
"""Items per transaction, as in a poll."""
WORDS_A_TEXT = 250
RUNS = 15
RARE = "zanzibar"
RARE_EVERY = 2_500
TARGETS = {
    "unread list": (40, 50),
    "rare word": (20, 30),
    "unread counts": (20, 30),
    "mark a tenth read": (10, 10),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--large", action="store_true", help=f"{LARGE} items")
    is_large = parser.parse_args().large
    with tempfile.TemporaryDirectory() as data:
        os.environ.update(DATA=data, UNREAD_HORIZON_DAYS="60", DATABASE_URL="")
        _start_django()
        _measure(LARGE if is_large else SMALL, is_large)


def _start_django() -> None:
    sys.path.insert(0, str(Path(__file__).parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "ainews_site.settings")
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def _measure(items: int, is_large: bool) -> None:
    user = _fill(items)
    for name, act in _acts(user).items():
        times, queries = zip(*(_timed(act) for _ in range(RUNS)), strict=True)
        target = TARGETS.get(name)
        wanted = f"  (at most {target[is_large]})" if target else ""
        print(
            f"{name:20} {median(times):7.1f} ms, slowest {max(times):7.1f},"
            f" {queries[-1]} queries{wanted}"
        )


def _fill(items: int) -> Any:
    """Create a reader of 500 sources with `items` unread items over 30 days."""
    from django.contrib.auth import get_user_model
    from django.db import connection

    from feeds.models import Source, Subscription

    user = get_user_model().objects.create_user("reader")
    names = [f"Outlet {number}" for number in range(SOURCES)]
    sources = Source.objects.bulk_create(
        Source(url=f"https://{n}.example/feed", title=name, is_public=n % 2 == 0)
        for n, name in enumerate(names)
    )
    Subscription.objects.bulk_create(Subscription(user=user, source=s) for s in sources)
    batches = _batches([source.pk for source in sources], items)
    spent = 0.0
    for batch in batches:
        started = time.process_time()
        _store(*batch)
        spent += time.process_time() - started
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA optimize")
    size = Path(connection.settings_dict["NAME"]).stat().st_size >> 20
    print(f"{items} items, {size} MB; rows and index: {items / spent:.0f} items per CPU second")
    return user


def _batches(sources: list[int], items: int) -> Iterator[Any]:
    """Yield batches of (ledger rows, item rows, body rows), each of one source."""
    from django.utils import timezone

    from feeds.core.bulk import adapt_time
    from feeds.core.ids import make_id

    rng = random.Random(7)
    words = ["".join(rng.choices("aeioubcdfglmnprst", k=rng.randint(3, 10))) for _ in "x" * 30_000]
    weights = [1 / (rank + 3) for rank in range(len(words))]
    now = timezone.now()
    for first in range(0, items, BATCH):
        keys, rows, bodies = [], [], []
        source = sources[first // BATCH % len(sources)]
        for seq in range(first + 1, first + BATCH + 1):
            text = " ".join(rng.choices(words, weights, k=WORDS_A_TEXT))
            text += f" {RARE}" * (seq % RARE_EVERY == 0)
            published = now - timedelta(seconds=rng.uniform(60, 30 * 86400))
            pk, at = make_id(published, seq), adapt_time(published)
            keys.append((seq, source, seq, seq, pk))
            title, summary = text[:70], text[:300]
            url = f"https://{source}.example/{seq}"
            rows.append(
                (pk, seq, source, at, at, "en", False, url, title, "", summary, "", "[]", 0)
            )
            bodies.append((pk, f"<p>{text}</p>", text, "[]", False))
        yield keys, rows, bodies


def _store(keys: Any, rows: Any, bodies: Any) -> None:
    from django.db import transaction

    from feeds.core.bulk import insert_rows
    from feeds.ingest.new_rows import BODY_COLUMNS, ITEM_COLUMNS, KEY_COLUMNS
    from feeds.models import Item, ItemBody, ItemKey

    with transaction.atomic():
        insert_rows(ItemKey, KEY_COLUMNS, keys)
        insert_rows(Item, ITEM_COLUMNS, rows)
        insert_rows(ItemBody, BODY_COLUMNS, bodies)


def _acts(user: Any) -> dict[str, Callable[[], object]]:
    from django.db.models import Max

    from feeds.models import Item, Source, Subscription
    from feeds.reading.filters import Filters
    from feeds.reading.marks import mark_all_read
    from feeds.reading.river import river
    from feeds.reading.unread import unread_counts
    from feeds.search.run import search_items

    ids = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    tenth = ids[: SOURCES // 10]
    newest = Item.objects.aggregate(newest=Max("seq"))["newest"]
    common = Item.objects.order_by("pk").values_list("title", flat=True)[0].split()[0]

    def mark() -> None:
        mark_all_read(user, tenth, newest)

    def unmark() -> None:
        Subscription.objects.filter(user=user).update(read_up_to=0)

    mark.before = unmark  # type: ignore[attr-defined]
    return {
        "unread list": lambda: river(user, Filters(unread=True)),
        "river of one source": lambda: river(user, Filters(source_id=ids[0])),
        "unread counts": lambda: unread_counts(user),
        "rare word": lambda: search_items(user, RARE),
        "common word": lambda: search_items(user, common),
        "operators alone": lambda: search_items(user, "source:outlet is:unread"),
        "mark a tenth read": mark,
        "counts after it": lambda: unread_counts(user),
    }


def _timed(act: Callable[[], object]) -> tuple[float, int]:
    """Run an action. Return (milliseconds, number of queries)."""
    from django.core.cache import cache
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    cache.clear()
    before = getattr(act, "before", None)
    if before:
        before()
    started = time.perf_counter()
    act()
    spent = (time.perf_counter() - started) * 1000
    cache.clear()
    if before:
        before()
    with CaptureQueriesContext(connection) as queries:
        act()
    return spent, len(queries)


if __name__ == "__main__":
    main()
