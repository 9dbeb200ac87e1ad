"""Time the ranking: score the stories of 1,000 articles for a reader.

`python benchmarks/ranking.py` needs no database. It prints the cost of importing numpy, and the
time of a pass for a reader with and without learned taste: the first, the median and the slowest,
in milliseconds of CPU time.
"""

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
ARTICLES, SOURCES, ACTS, SHOWN, RUNS = 1_000, 60, 200, 1_000, 50
GOAL = 5.0
"""Highest CPU time of the first pass, in milliseconds."""


def main() -> None:
    process = psutil.Process()
    before, started = process.memory_info().rss, time.process_time()
    import numpy as np

    spent = (time.process_time() - started) * 1000
    grown = (process.memory_info().rss - before) / 2**20
    print(f"numpy                {spent:7.1f} ms, {grown:.0f} MiB, once a process")
    rng = np.random.default_rng(1)
    for name, acts in (("without a taste", 0), ("with a taste", ACTS)):
        first, *others = [_timed(rng, acts) for _ in range(RUNS)]
        print(
            f"{name:20} {first:7.2f} ms the first (at most {GOAL:.0f}),"
            f" median {median(others):.2f}, slowest {max(others):.2f}"
        )


def _timed(rng: Any, acts: int) -> float:
    """Time one pass over random articles with a random taste, in milliseconds."""
    import numpy as np

    from feeds.core.ids import TAIL_BITS
    from feeds.stories.ranking.data.batch import Learned
    from feeds.stories.ranking.data.reader import Reader
    from feeds.stories.ranking.scoring import score_all

    now = 1_780_000_000
    seconds = now - rng.integers(0, 7 * 86_400, ARTICLES)
    ids = np.sort((seconds << TAIL_BITS) + np.arange(ARTICLES))[::-1]
    stories = ids[rng.integers(0, ARTICLES, ARTICLES)]
    sources = rng.integers(1, SOURCES, ARTICLES)
    kinds = rng.integers(0, 200, ARTICLES)
    names = [[f"topic-{n % 66}", f"topic-{n % 7}"] for n in range(200)]
    traits = {pk: _words(rng) for pk in (*ids.tolist(), *range(ACTS + SHOWN))}
    examples = [(n, float(rng.choice([1.0, 2.0, -1.0]))) for n in range(acts)]
    shown = list(range(ACTS, ACTS + SHOWN)) if acts else []
    learned = Learned(examples, shown, lambda items: [traits[item] for item in items])
    rates = {n: int(rng.integers(1, 50)) for n in range(SOURCES)}
    reader = Reader({"topic-1": "more"}, {3: "less"}, frozenset(), rates, {4: 9}, acts)
    columns = (ids, stories, sources, np.zeros(ARTICLES, np.int64), kinds)
    started = time.process_time()
    score_all(columns, names, reader, {}, float(now), learned=learned).best(100)
    return (time.process_time() - started) * 1000


def _words(rng: Any) -> bytes:
    """About 25 terms with the frequencies of headlines and summaries."""
    from feeds.stories.ranking.data.similarity import make_row

    return make_row(rng.zipf(1.15, 25).tolist())


if __name__ == "__main__":
    main()
