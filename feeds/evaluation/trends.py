"""Measure how soon planted bursts are detected, and how many false alarms there are. Pure.

The simulated world has 2,000 terms and 500 sources. The frequencies of terms follow Zipf's law,
from 40 stories a day to one in 25 days, with half as many at weekends. Counts are random (Poisson),
so every alarm is a false one. A planted burst is an additional term whose rate triples at midnight.
The product's own functions are measured: the statistical test, the minimum number of sources and
the threshold.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import log
from typing import Any

from feeds.trends.burst import (
    FALSE_ALARMS,
    MIN_STORIES,
    PRIOR,
    Bin,
    Expected,
    WindowTest,
    bin_of,
    capped_count,
    expect,
    find_bursts,
    tail,
)

TERMS, SOURCES, PAST_DAYS = 2_000, 500, 56
BACKGROUNDS = (1, 5, 10, 20)
FACTOR = 3.0
WEEKS = 60
PLANTED = 400
MAX_A_DAY = 40.0
_WEEKDAYS = (1.17, 1.2, 1.2, 1.17, 1.1, 0.58, 0.58)
_SAME_ALARM_DAYS = 7
"""A second alarm of a term within so many days counts as the same alarm."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Shares of the planted bursts that are detected, for one background rate.

    `first` and `second` are by the end of the first and second day, `noon` by the end of the second
    day for bursts that start at noon. `seed` is a simple rule (see `doubles`); `theory` and
    `optimum` are theoretical limits (see `theory` and `_cut`).
    """

    background: int
    first: float
    second: float
    noon: float
    seed: float
    theory: float
    theory_second: float
    optimum: float


@dataclass(frozen=True, slots=True)
class Evaluation:
    recalls: list[Recall]
    false_alarms: float
    seed_false_alarms: float


def evaluate(weeks: int = WEEKS, planted: int = PLANTED, seed: int = 1) -> Evaluation:
    """Run the simulation. False alarms are per week, of all terms together."""
    import numpy as np

    random = np.random.default_rng(seed)
    quiet = _World(random, weeks * 7)
    rates = [float(rate) for rate in quiet.rates]
    cut = _cut(rates)
    recalls = [_recall(quiet, background, planted, cut) for background in BACKGROUNDS]
    return Evaluation(recalls, quiet.false_alarms() / weeks, quiet.seed_false_alarms() / weeks)


class _World:
    """The simulated stories per day: `counts` [terms, days]. The first 57 days are the past."""

    def __init__(self, random: Any, days: int) -> None:
        import numpy as np

        self.random = random
        self.rates = np.minimum(80 / np.arange(1, TERMS + 1), MAX_A_DAY)
        self.days = PAST_DAYS + 1 + days
        self.factors = [_WEEKDAYS[day % 7] for day in range(self.days)]
        self.counts = random.poisson(self.rates[:, None] * np.array(self.factors)[None, :])
        shares = 1 / (np.arange(SOURCES) + 10)
        self.shares = shares / shares.sum()

    def tests(self, counts: Any, day: int) -> Iterator[tuple[int, int, Expected, int]]:
        """Yield the values of a WindowTest for each term above its mean in one or two days."""
        import numpy as np

        for window in ([day], [day - 1, day]):
            means = self.means(counts, window, day)
            stories = counts[:, window].sum(axis=1)
            for row in np.flatnonzero((stories >= MIN_STORIES) & (stories > means)):
                number = self._gated(int(stories[row]))
                past = counts[row, day - PAST_DAYS - 1 : day - 1].tolist()
                factors = self.factors[day - PAST_DAYS - 1 :]
                places = [window_day - (day - PAST_DAYS - 1) for window_day in window]
                yield int(row), number, expect(past, factors, places), PAST_DAYS // len(window)

    def means(self, counts: Any, window: Sequence[int], day: int) -> Any:
        past = slice(day - PAST_DAYS - 1, day - 1)
        share = sum(self.factors[day_] for day_ in window) / sum(self.factors[past])
        return (counts[:, past].sum(axis=1) + PRIOR) * share

    def tested(self, day: int) -> Counter[Bin]:
        bins: Counter[Bin] = Counter()
        for window in ([day], [day - 1, day]):
            means = self.means(self.counts, window, day).tolist()
            bins.update(bin_of(mean, PAST_DAYS // len(window)) for mean in means)
        return bins

    def _gated(self, stories: int) -> int:
        """How many stories count if each has one random source; 0 if there are too few sources."""
        sources = self.random.choice(SOURCES, stories, p=self.shares).tolist()
        if len(set(sources)) < MIN_STORIES:
            return 0
        return capped_count([{source} for source in sources])

    def alarms(self, day: int) -> set[int]:
        tests = [WindowTest(*values) for values in self.tests(self.counts, day)]
        return set(find_bursts(tests, self.tested(day), FALSE_ALARMS))

    def false_alarms(self) -> int:
        return _count_alarms(self.alarms(day) for day in range(PAST_DAYS + 1, self.days))

    def seed_false_alarms(self) -> int:
        return _count_alarms(
            {row for row in range(TERMS) if doubles(self.counts[row, day - 13 : day + 1].tolist())}
            for day in range(PAST_DAYS + 1, self.days)
        )


def _count_alarms(days: Iterator[set[int]]) -> int:
    last: dict[int, int] = {}
    alarms = 0
    for day, terms in enumerate(days):
        alarms += sum(
            day - last.get(term, -_SAME_ALARM_DAYS - 1) > _SAME_ALARM_DAYS for term in terms
        )
        last |= dict.fromkeys(terms, day)
    return alarms


def doubles(fortnight: Sequence[int]) -> bool:
    """A simple rule for comparison: more than twice as many stories as in the 7 days before."""
    return sum(fortnight[7:]) > 2 * sum(fortnight[:7])


def _recall(world: _World, background: int, planted: int, cut: float) -> Recall:
    hits: Counter[str] = Counter()
    first = PAST_DAYS + 2
    days = range(first, world.days - 1)
    quiet = {day: _quiet_day(world, day) for day in (*days[:14], days[:14][-1] + 1)}
    for number in range(planted):
        day = days[number % 14]
        row = _plant(world, background, day, (FACTOR, FACTOR))
        noon = _plant(world, background, day, ((1 + FACTOR) / 2, FACTOR / 2))
        early = _detects(world, row, day, quiet[day])
        hits["first"] += early
        hits["second"] += early or _detects(world, row, day + 1, quiet[day + 1])
        hits["noon"] += _detects(world, noon, day + 1, quiet[day + 1])
        hits["seed"] += doubles(row[0, day - 13 : day + 1].tolist())
    share = {name: hits[name] / planted for name in ("first", "second", "noon", "seed")}
    return Recall(background, **share, **theory(background), optimum=_optimum(background, cut))


Quiet = tuple[list[tuple[int, int, Expected, int]], Counter[Bin]]


def _quiet_day(world: _World, day: int) -> Quiet:
    return list(world.tests(world.counts, day)), world.tested(day)


def _plant(world: _World, background: int, day: int, factors: tuple[float, float]) -> Any:
    """[1, days]: a term with the rate `background`, times `factors` on `day` and the next day."""
    import numpy as np

    means = background * np.array(world.factors[: day + 2]) / world.factors[day]
    means[day], means[day + 1] = means[day] * factors[0], means[day + 1] * factors[1]
    return world.random.poisson(means)[None, :]


def _detects(world: _World, row: Any, day: int, quiet: Quiet) -> bool:
    others, tested = quiet
    own = [WindowTest(TERMS, *values[1:]) for values in world.tests(row, day)]
    tests = [*(WindowTest(*values) for values in others), *own]
    return TERMS in find_bursts(tests, tested, FALSE_ALARMS)


def theory(background: float) -> dict[str, float]:
    """The share that a test with known rates detects in one day and in two, if one false alarm a
    week is divided equally among the terms."""
    each = 1 / (7 * TERMS)
    return {
        "theory": _power(background, FACTOR * background, each),
        "theory_second": _power(2 * background, 2 * FACTOR * background, each),
    }


def _power(mean: float, burst: float, each: float) -> float:
    count = MIN_STORIES
    while poisson_tail(count, mean) > each:
        count += 1
    return poisson_tail(count, burst)


def poisson_tail(count: int, mean: float) -> float:
    return tail(count, Expected(mean, 1e9)) if mean > 0 else float(count <= 0)


def _optimum(background: float, cut: float) -> float:
    return poisson_tail(_min_stories(background, cut), FACTOR * background)


def _min_stories(rate: float, cut: float) -> int:
    """The least number of stories at which the log-likelihood ratio of a burst reaches `cut`."""
    return max(MIN_STORIES, int(-(-(cut + (FACTOR - 1) * rate) // log(FACTOR))))


def _cut(rates: Sequence[float]) -> float:
    """The log-likelihood ratio at which all terms together give FALSE_ALARMS a day. By the lemma of
    Neyman and Pearson, no test of one day detects more bursts if the rates are known."""
    low, high = 0.0, 30.0
    for _ in range(30):
        cut = (low + high) / 2
        alarms = sum(poisson_tail(_min_stories(rate, cut), rate) for rate in rates)
        low, high = (cut, high) if alarms > FALSE_ALARMS else (low, cut)
    return high
