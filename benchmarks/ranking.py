"""Time one pass of the ranking: the stories of 1,000 tellings scored for a reader with a taste.

`python benchmarks/ranking.py` needs no database. It prints what numpy costs a web process, and
the pass with and without a taste: the first one, and the median and the slowest of many, in
milliseconds of the processor.
"""

import sys
import time
from pathlib import Path
from statistics import median
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).parent.parent))
TELLINGS, SOURCES, ACTS, SHOWN, RUNS = 1_000, 60, 200, 1_000, 50
GOAL = 5.0
"""Milliseconds of the processor for the first pass."""


def main() -> None:
    process = psutil.Process()
    before, started = process.memory_info().rss, time.process_time()
    import numpy as np

    spent = (time.process_time() - started) * 1000
    grown = (process.memory_info().rss - before) / 2**20
    print(f"numpy                {spent:7.1f} ms, {grown:.0f} MiB, once a process")
    chance = np.random.default_rng(1)
    for name, acts in (("without a taste", 0), ("with a taste", ACTS)):
        first, *others = [_timed(chance, acts) for _ in range(RUNS)]
        print(
            f"{name:20} {first:7.2f} ms the first (at most {GOAL:.0f}),"
            f" median {median(others):.2f}, slowest {max(others):.2f}"
        )


def _timed(chance: Any, acts: int) -> float:
    """Milliseconds of one pass over other tellings, with another taste, each time."""
    import numpy as np

    from feeds.core.ids import TAIL_BITS
    from feeds.stories.ranking.data.batch import Learned
    from feeds.stories.ranking.data.reader import Reader
    from feeds.stories.ranking.scoring import score_all

    now = 1_780_000_000
    seconds = now - chance.integers(0, 7 * 86_400, TELLINGS)
    ids = np.sort((seconds << TAIL_BITS) + np.arange(TELLINGS))[::-1]
    stories = ids[chance.integers(0, TELLINGS, TELLINGS)]
    sources = chance.integers(1, SOURCES, TELLINGS)
    kinds = chance.integers(0, 200, TELLINGS)
    names = [[f"topic-{n % 66}", f"topic-{n % 7}"] for n in range(200)]
    traits = {pk: _words(chance) for pk in (*ids.tolist(), *range(ACTS + SHOWN))}
    examples = [(n, float(chance.choice([1.0, 2.0, -1.0]))) for n in range(acts)]
    shown = list(range(ACTS, ACTS + SHOWN)) if acts else []
    learned = Learned(examples, shown, lambda items: [traits[item] for item in items])
    rates = {n: int(chance.integers(1, 50)) for n in range(SOURCES)}
    reader = Reader({"topic-1": "more"}, {3: "less"}, frozenset(), rates, {4: 9}, acts)
    columns = (ids, stories, sources, np.zeros(TELLINGS, np.int64), kinds)
    started = time.process_time()
    score_all(columns, names, reader, {}, float(now), learned=learned).best(100)
    return (time.process_time() - started) * 1000


def _words(chance: Any) -> bytes:
    """Some 25 terms, a few of them frequent, as headlines and summaries have them."""
    from feeds.stories.ranking.data.similarity import make_row

    return make_row(chance.zipf(1.15, 25).tolist())


if __name__ == "__main__":
    main()
