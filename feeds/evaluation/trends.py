"""Measure how soon planted bursts are found, and how often a quiet world raises an alarm. Pure.

A world of 2,000 terms that 500 sources tell of: how often falls with the rank (Zipf), from 40
stories a day to one in 25 days; weekends bring half. Nothing happens in it but chance, so each
alarm is a false one. A burst is one more term of a known past that is told of three times as
often from midnight on. What is measured is the product's own test, gates and line.
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
_AGAIN = 7
"""Days within which a term's second alarm is the same one."""


@dataclass(frozen=True, slots=True)
class Recall:
    """Shares of the planted bursts of one background that are found by the end of their first
    and second day, by each rule."""

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
    """False alarms are a week's, of all terms."""
    import numpy as np

    random = np.random.default_rng(seed)
    quiet = _World(random, weeks * 7)
    rates = [float(rate) for rate in quiet.rates]
    cut = _cut(rates)
    recalls = [_recall(quiet, background, planted, cut) for background in BACKGROUNDS]
    return Evaluation(recalls, quiet.false_alarms() / weeks, quiet.seed_false_alarms() / weeks)


class _World:
    """Stories a day of each term, [terms, days], the first 57 of them past."""

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
        """What a Count is made of, for all that stand out in one day or two."""
        import numpy as np

        for window in ([day], [day - 1, day]):
            means = self.means(counts, window, day)
            told = counts[:, window].sum(axis=1)
            for row in np.flatnonzero((told >= MIN_STORIES) & (told > means)):
                number = self._gated(int(told[row]))
                past = counts[row, day - PAST_DAYS - 1 : day - 1].tolist()
                factors = self.factors[day - PAST_DAYS - 1 :]
                places = [one - (day - PAST_DAYS - 1) for one in window]
                yield int(row), number, expect(past, factors, places), PAST_DAYS // len(window)

    def means(self, counts: Any, window: Sequence[int], day: int) -> Any:
        past = slice(day - PAST_DAYS - 1, day - 1)
        share = sum(self.factors[one] for one in window) / sum(self.factors[past])
        return (counts[:, past].sum(axis=1) + PRIOR) * share

    def tested(self, day: int) -> Counter[Bin]:
        found: Counter[Bin] = Counter()
        for window in ([day], [day - 1, day]):
            means = self.means(self.counts, window, day).tolist()
            found.update(bin_of(mean, PAST_DAYS // len(window)) for mean in means)
        return found

    def _gated(self, stories: int) -> int:
        """How many count when each is told by one source, by chance; 0 for too few sources."""
        sources = self.random.choice(SOURCES, stories, p=self.shares).tolist()
        return capped_count([{one} for one in sources]) if len(set(sources)) >= MIN_STORIES else 0

    def alarms(self, day: int) -> set[int]:
        tests = [WindowTest(*one) for one in self.tests(self.counts, day)]
        return set(find_bursts(tests, self.tested(day), FALSE_ALARMS))

    def false_alarms(self) -> int:
        return _once(self.alarms(day) for day in range(PAST_DAYS + 1, self.days))

    def seed_false_alarms(self) -> int:
        return _once(
            {row for row in range(TERMS) if doubles(self.counts[row, day - 13 : day + 1].tolist())}
            for day in range(PAST_DAYS + 1, self.days)
        )


def _once(days: Iterator[set[int]]) -> int:
    last: dict[int, int] = {}
    alarms = 0
    for day, terms in enumerate(days):
        alarms += sum(day - last.get(term, -_AGAIN - 1) > _AGAIN for term in terms)
        last |= dict.fromkeys(terms, day)
    return alarms


def doubles(fortnight: Sequence[int]) -> bool:
    """The rule of a simple trend detector: more than twice as many in the last 7 days as in
    the 7 before."""
    return sum(fortnight[7:]) > 2 * sum(fortnight[:7])


def _recall(world: _World, background: int, planted: int, cut: float) -> Recall:
    hits: Counter[str] = Counter()
    first = PAST_DAYS + 2
    days = range(first, world.days - 1)
    quiet = {day: _ready(world, day) for day in (*days[:14], days[:14][-1] + 1)}
    for number in range(planted):
        day = days[number % 14]
        row = _plant(world, background, day, (FACTOR, FACTOR))
        noon = _plant(world, background, day, ((1 + FACTOR) / 2, FACTOR / 2))
        early = _finds(world, row, day, quiet[day])
        hits["first"] += early
        hits["second"] += early or _finds(world, row, day + 1, quiet[day + 1])
        hits["noon"] += _finds(world, noon, day + 1, quiet[day + 1])
        hits["seed"] += doubles(row[0, day - 13 : day + 1].tolist())
    share = {name: hits[name] / planted for name in ("first", "second", "noon", "seed")}
    return Recall(background, **share, **theory(background), optimum=_optimum(background, cut))


Quiet = tuple[list[tuple[int, int, Expected, int]], Counter[Bin]]


def _ready(world: _World, day: int) -> Quiet:
    return list(world.tests(world.counts, day)), world.tested(day)


def _plant(world: _World, background: int, day: int, factors: tuple[float, float]) -> Any:
    """[1, days] of a term that bursts on `day`, which else had brought `background` stories,
    and the next."""
    import numpy as np

    means = background * np.array(world.factors[: day + 2]) / world.factors[day]
    means[day], means[day + 1] = means[day] * factors[0], means[day + 1] * factors[1]
    return world.random.poisson(means)[None, :]


def _finds(world: _World, row: Any, day: int, quiet: Quiet) -> bool:
    others, tested = quiet
    own = [WindowTest(TERMS, *one[1:]) for one in world.tests(row, day)]
    return TERMS in find_bursts([*(WindowTest(*one) for one in others), *own], tested, FALSE_ALARMS)


def theory(background: float) -> dict[str, float]:
    """What a test of the known rate finds when each term may give an equal part of one false
    alarm a week, in a day and in the sum of two."""
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
    return poisson_tail(_least(background, cut), FACTOR * background)


def _least(rate: float, cut: float) -> int:
    """The fewest stories whose likelihood ratio of a burst of 3x is at least exp(cut)."""
    return max(MIN_STORIES, int(-(-(cut + (FACTOR - 1) * rate) // log(FACTOR))))


def _cut(rates: Sequence[float]) -> float:
    """The likelihood ratio (its logarithm) at which all terms together give one false alarm a
    week: by Neyman and Pearson no test of one day finds more at known rates."""
    low, high = 0.0, 30.0
    for _ in range(30):
        cut = (low + high) / 2
        alarms = sum(poisson_tail(_least(rate, cut), rate) for rate in rates)
        low, high = (cut, high) if alarms > FALSE_ALARMS else (low, cut)
    return high
