"""Measure the speed and the quality of grouping, on generated and on labelled text.

    python benchmarks/grouping.py [--items 20000] [--window 125000] [--labels FILE]

Prints items per CPU second of grouping in memory, of a repair, and of both with the database; the
same with a window of 125,000 items, by terms and with vectors; and the B-cubed F1 of the sample
newsroom and, with --labels, of a labelled file.
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
        articles = make_articles(options.items)
        measure_memory(articles)
        measure_database(articles)
        measure_newsroom()
        if options.labels:
            measure_labels(options.labels)
        for with_vectors in (False, True):
            in_a_process(measure_window, options.window, with_vectors)
        print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB")


def _start(folder: str) -> None:
    sys.path.insert(0, str(ROOT))
    os.environ |= {"DATA": folder, "DJANGO_SETTINGS_MODULE": "ainews_site.settings"}
    os.environ.pop("DATABASE_URL", None)
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


def make_articles(items: int) -> list[tuple[datetime, int, str, str]]:
    """Generate (published, source, title, summary): events with 1 to 12 articles in six days.

    Word frequencies follow Mandelbrot's law without the most common words, which grouping drops.
    The most frequent word occurs in a sixth of the items.
    """
    rng = random.Random(7)
    odds = list(accumulate(1 / (rank + 50) for rank in range(1, WORDS + 1)))
    words = [_word(n) for n in range(WORDS)]
    articles = []
    while len(articles) < items:
        about = rng.choices(words, cum_weights=odds, k=25) + rng.choices(words[WORDS // 10 :], k=5)
        broke = NOW - timedelta(hours=rng.uniform(10, 144))
        for source in rng.sample(range(SOURCES), min(12, int(rng.paretovariate(1.2)))):
            title = " ".join(rng.sample(about, 7) + rng.choices(words, cum_weights=odds, k=3))
            summary = " ".join(
                rng.choices(about, k=30) + rng.choices(words, cum_weights=odds, k=30)
            )
            moment = broke + timedelta(hours=rng.expovariate(1 / 6))
            articles.append((min(moment, NOW), source, title, summary[:SUMMARY]))
    return sorted(articles[:items])


def _word(number: int) -> str:
    letters = ""
    while True:
        number, rest = divmod(number, 80)
        letters += "bdfgklmnprstvzhc"[rest // 5] + "aeiou"[rest % 5]
        if not number:
            return letters + "n"


def measure_memory(articles: Sequence[tuple[datetime, int, str, str]]) -> None:
    from feeds.evaluation.stories import group_online
    from feeds.stories.grouping.linkage import group_all
    from feeds.stories.grouping.tokenizer import make_document

    start = time.process_time()
    documents = [
        make_document(pk, moment.timestamp(), source, title, summary)
        for pk, (moment, source, title, summary) in enumerate(articles, 1)
    ]
    stories = len(set(group_online(documents)))
    _print("in memory", len(documents), time.process_time() - start, f"{stories} stories")
    window = [d for d in documents if d.time >= documents[-1].time - 72 * 3600]
    start = time.process_time()
    groups = len(group_all(window))
    _print("repair of 72 h", len(window), time.process_time() - start, f"{groups} stories")


def in_a_process(measure: Callable[..., None], *arguments: Any) -> None:
    """Measure in a separate process, so that memory of other measurements is not counted."""
    process = multiprocessing.get_context("fork").Process(target=measure, args=arguments)
    process.start()
    process.join()


def measure_window(items: int, with_vectors: bool) -> None:
    """Measure the last 10,000 items that join a window of `items`, and the memory of the stories.

    Vectors are sums of random vectors of the title's words, so that articles on one event are near.
    """
    from feeds.stories.grouping.online import Grouper

    documents, vectors = _made_documents(items, with_vectors)
    before, grouper, seconds = _resident(), Grouper(), 0.0
    for start in range(0, items, 1000):
        began = time.process_time()
        grouper.assign_all(documents[start : start + 1000], vectors)
        if start >= items - 10_000:
            seconds += time.process_time() - began
    name = f"joining {items} {'with vectors' if with_vectors else 'by words'}"
    grown = f"{len(grouper)} stories in {_resident() - before} MiB"
    _print(name, min(items, 10_000), seconds, grown)


def _made_documents(items: int, with_vectors: bool) -> tuple[list[Any], dict[int, Any]]:
    import numpy as np

    from feeds.stories.grouping.tokenizer import make_document

    made, vectors = [], {}
    rng = np.random.default_rng(7)
    directions: defaultdict[str, Any] = defaultdict(lambda: rng.standard_normal(384))
    for pk, (moment, source, title, summary) in enumerate(make_articles(items), 1):
        made.append(make_document(pk, moment.timestamp(), source, title, summary))
        if with_vectors:
            row = sum(directions[word] for word in title.split()) + rng.standard_normal(384)
            vectors[pk] = (row / np.linalg.norm(row)).astype(np.float32)
    return made, vectors


def _resident() -> int:
    """The resident memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() // 2**20


def measure_database(articles: Sequence[tuple[datetime, int, str, str]]) -> None:
    from feeds.models import Story
    from feeds.stories.grouping.group import group_new_items
    from feeds.stories.grouping.repair import repair_stories

    _store(articles)
    start = time.process_time()
    grouped = group_new_items(now=NOW)
    seconds = time.process_time() - start
    _print("with the database", grouped, seconds, f"{Story.objects.count()} stories")
    start = time.process_time()
    moved = repair_stories(now=NOW)
    print(f"repair with the database: {time.process_time() - start:.1f} s, {moved} items moved")


def _store(articles: Sequence[tuple[datetime, int, str, str]]) -> None:
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
        for seq, (moment, source, title, summary) in enumerate(articles, 1)
    ]
    Item.objects.bulk_create(rows, batch_size=500)


def measure_newsroom() -> None:
    """Measure the quality on the sample newsroom, with the texts that its feeds contain."""
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

    labelled = read_labels(path)
    _print_f1(path.name, labelled.documents, labelled.labels, labelled.titles)


def _print_f1(
    name: str, documents: Sequence[Any], labels: Sequence[str], texts: dict[int, str]
) -> None:
    from feeds.ai.embed.provider import provider_for
    from feeds.evaluation.stories import evaluate

    rows = provider_for("onnx", "").encode(list(texts.values()))
    for kind, vectors in (("words", {}), ("MiniLM", dict(zip(texts, rows, strict=True)))):
        score = evaluate(documents, labels, vectors).repaired
        figures = f"P {score.precision:.3f} R {score.recall:.3f} F1 {score.f1:.3f}"
        print(f"{name} by {kind}: B-cubed {figures}")


def _print(name: str, items: int, seconds: float, found: str) -> None:
    print(f"{name}: {items / seconds:.0f} items a CPU second ({items} items, {found})")


if __name__ == "__main__":
    main()
