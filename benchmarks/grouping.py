"""How fast items are grouped into stories, and how well, on made and on labelled text.

    python benchmarks/grouping.py [--items 20000] [--window 125000] [--labels FILE]

Prints items a CPU second for grouping alone, first in memory as they arrive, then with the
database, and the seconds and the memory of a repair; the same in a window of 125,000 items, by
words and with vectors; the labelled file's F1 where one is given, and always that of the
sample newsroom, with the texts that its feeds carry.
"""

import argparse
import multiprocessing
import os
import random
import resource
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
NOW = datetime(2026, 5, 20, tzinfo=UTC)
SOURCES = 300
WORDS = 30_000
SUMMARY = 600


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--items", type=int, default=20_000)
    parser.add_argument("--window", type=int, default=125_000)
    parser.add_argument("--labels", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        _start(folder)
        tellings = make_tellings(options.items)
        measure_memory(tellings)
        measure_database(tellings)
        measure_newsroom()
        if options.labels:
            measure_labels(options.labels)
        for meaning in (False, True):
            in_a_process(measure_window, options.window, meaning)
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _start(folder: str) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DATA": folder, "DJANGO_SETTINGS_MODULE": "ainews_site.settings"}
    os.environ.pop("DATABASE_URL", None)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def make_tellings(items: int) -> list[tuple[datetime, int, str, str]]:
    """(published, source, title, summary): events of one to a dozen tellings in six days.

    Words are drawn by Mandelbrot's law without the most common ones, as grouping drops those:
    the first stands in a sixth of the items.
    """
    rng = random.Random(7)
    odds = list(accumulate(1 / (rank + 50) for rank in range(1, WORDS + 1)))
    words = [_word(n) for n in range(WORDS)]
    found = []
    while len(found) < items:
        about = rng.choices(words, cum_weights=odds, k=25) + rng.choices(words[WORDS // 10 :], k=5)
        broke = NOW - timedelta(hours=rng.uniform(10, 144))
        for source in rng.sample(range(SOURCES), min(12, int(rng.paretovariate(1.2)))):
            title = " ".join(rng.sample(about, 7) + rng.choices(words, cum_weights=odds, k=3))
            summary = " ".join(
                rng.choices(about, k=30) + rng.choices(words, cum_weights=odds, k=30)
            )
            moment = broke + timedelta(hours=rng.expovariate(1 / 6))
            found.append((min(moment, NOW), source, title, summary[:SUMMARY]))
    return sorted(found[:items])


def _word(number: int) -> str:
    letters = ""
    while True:
        number, rest = divmod(number, 80)
        letters += "bdfgklmnprstvzhc"[rest // 5] + "aeiou"[rest % 5]
        if not number:
            return letters + "n"


def measure_memory(tellings: Sequence[tuple[datetime, int, str, str]]) -> None:
    from feeds.evaluation.stories import group_online
    from feeds.stories.grouping.linkage import group_all
    from feeds.stories.grouping.tokenizer import make_document

    start = time.process_time()
    documents = [
        make_document(pk, moment.timestamp(), source, title, summary)
        for pk, (moment, source, title, summary) in enumerate(tellings, 1)
    ]
    stories = len(set(group_online(documents)))
    _print("in memory", len(documents), time.process_time() - start, f"{stories} stories")
    window = [one for one in documents if one.time >= documents[-1].time - 72 * 3600]
    start = time.process_time()
    groups = len(group_all(window))
    _print("repair of 72 h", len(window), time.process_time() - start, f"{groups} stories")


def in_a_process(measure: Callable[..., None], *arguments: Any) -> None:
    """So that what others have in memory is not counted."""
    process = multiprocessing.get_context("fork").Process(target=measure, args=arguments)
    process.start()
    process.join()


def measure_window(items: int, meaning: bool) -> None:
    """The last 10,000 items that join a window of `items`, and what the stories take of memory.

    Vectors are made of the words of the titles, so that tellings of one event are near.
    """
    from feeds.stories.grouping.online import Grouper

    documents, vectors = _made_documents(items, meaning)
    before, grouper, seconds = _resident(), Grouper(), 0.0
    for start in range(0, items, 1000):
        began = time.process_time()
        grouper.assign_all(documents[start : start + 1000], vectors)
        if start >= items - 10_000:
            seconds += time.process_time() - began
    name = f"joining {items} {'with vectors' if meaning else 'by words'}"
    grown = f"{len(grouper)} stories in {_resident() - before} MiB"
    _print(name, min(items, 10_000), seconds, grown)


def _made_documents(items: int, meaning: bool) -> tuple[list[Any], dict[int, Any]]:
    import numpy as np

    from feeds.stories.grouping.tokenizer import make_document

    made, vectors = [], {}
    rng = np.random.default_rng(7)
    directions: defaultdict[str, Any] = defaultdict(lambda: rng.standard_normal(384))
    for pk, (moment, source, title, summary) in enumerate(make_tellings(items), 1):
        made.append(make_document(pk, moment.timestamp(), source, title, summary))
        if meaning:
            row = sum(directions[word] for word in title.split()) + rng.standard_normal(384)
            vectors[pk] = (row / np.linalg.norm(row)).astype(np.float32)
    return made, vectors


def _resident() -> int:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def measure_database(tellings: Sequence[tuple[datetime, int, str, str]]) -> None:
    from feeds.models import Story
    from feeds.stories.grouping.group import group_new_items
    from feeds.stories.grouping.repair import repair_stories

    _store(tellings)
    start = time.process_time()
    grouped = group_new_items(now=NOW)
    seconds = time.process_time() - start
    _print("with the database", grouped, seconds, f"{Story.objects.count()} stories")
    start = time.process_time()
    moved = repair_stories(now=NOW)
    print(f"repair with the database: {time.process_time() - start:.1f} s, {moved} items moved")


def _store(tellings: Sequence[tuple[datetime, int, str, str]]) -> None:
    from feeds.core.ids import make_id
    from feeds.models import Item, Source

    Source.objects.bulk_create(
        Source(url=f"https://{n}.example/feed", title=str(n)) for n in range(SOURCES)
    )
    sources = list(Source.objects.order_by("pk").values_list("pk", flat=True))
    rows: list[Any] = [
        Item(
            id=make_id(moment, seq),
            seq=seq,
            source_id=sources[source],
            title=title,
            summary=summary,
            published_at=moment,
            fetched_at=moment,
        )
        for seq, (moment, source, title, summary) in enumerate(tellings, 1)
    ]
    Item.objects.bulk_create(rows, batch_size=500)


def measure_newsroom() -> None:
    """The sample newsroom's items with what a feed carries of their texts."""
    from feeds.ai.embed.store import text_for
    from feeds.demo.edition import make_edition
    from feeds.stories.grouping.tokenizer import make_document

    articles = sorted(make_edition(NOW), key=lambda article: article.published)
    outlets = {name: n for n, name in enumerate(sorted({a.outlet for a in articles}))}
    texts = {
        pk: text_for(a.versions[0].title, " ".join(a.versions[0].paragraphs)[:SUMMARY])
        for pk, a in enumerate(articles, 1)
    }
    documents = [
        make_document(
            pk,
            article.published.timestamp(),
            outlets[article.outlet],
            article.versions[0].title,
            " ".join(article.versions[0].paragraphs)[:SUMMARY],
            f"/{article.outlet}{article.path}",
        )
        for pk, article in enumerate(articles, 1)
    ]
    _print_f1("sample newsroom", documents, [article.story for article in articles], texts)


def measure_labels(path: Path) -> None:
    from feeds.evaluation.stories import read_labels

    found = read_labels(path)
    _print_f1(path.name, found.documents, found.labels, found.titles)


def _print_f1(
    name: str, documents: Sequence[Any], labels: Sequence[str], texts: dict[int, str]
) -> None:
    from feeds.ai.embed.provider import provider_for
    from feeds.evaluation.stories import evaluate

    rows = provider_for("onnx", "").encode(list(texts.values()))
    for kind, vectors in (("words", {}), ("MiniLM", dict(zip(texts, rows, strict=True)))):
        score = evaluate(documents, labels, vectors).repaired
        found = f"P {score.precision:.3f} R {score.recall:.3f} F1 {score.f1:.3f}"
        print(f"{name} by {kind}: B-cubed {found}")


def _print(name: str, items: int, seconds: float, found: str) -> None:
    print(f"{name}: {items / seconds:.0f} items a CPU second ({items} items, {found})")


if __name__ == "__main__":
    main()
