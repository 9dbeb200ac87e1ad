"""How unlikely a count of stories is without a burst, and where the line is drawn. Pure.

A term's count is tested against the negative binomial that its past predicts: the posterior of
a Poisson rate with Jeffreys' prior (Gelman et al., Bayesian Data Analysis, 2.6). The line is
that of Benjamini and Hochberg (1995) in its form for counts (Heyse 2011): what is compared with
the rate allowed is how many false alarms the tested terms can really give at that line, and a
count of stories is whole. Plain p-values would waste half of the rate.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

FEWEST = 3
"""Stories, and sources: fewer are no trend, whatever the past."""
PRIOR = 0.5
"""Jeffreys': a term that was never told of is expected once in a hundred days or so."""
LIKELY = 0.01
"""No line is drawn above: what happens by chance once in a hundred is no news."""
_NEGLIGIBLE = 1e-13
_STEPS = 40
"""Bins of the mean a factor of e: what is predicted differs by 2.5 % within one."""
_SPREAD_FEWEST, _SPREAD_SURE = 10, 2.5
_WEEKDAY_SURE = 1e-3


class Expected(NamedTuple):
    """A negative binomial: `mean` stories, variance mean + mean² / size."""

    mean: float
    size: float


def predict(told: float, days: float, window: float, spread: float = 1.0) -> Expected:
    """What `window` days bring of a term that `told` stories named in the `days` before.
    `spread` is how many times the variance exceeds that of chance; see `spread_of`."""
    mean = (told + PRIOR) * window / max(days, 1.0)
    size = told + PRIOR
    return Expected(mean, min(size, mean / (spread - 1)) if spread > 1 else size)


def expect(past: Sequence[float], factors: Sequence[float], window: Sequence[int]) -> Expected:
    """What the days `window` bring of a term that `past` days brought so many stories of.

    `factors` say by how much each day differs from the mean of all news, as weekends do; they
    are 0 where nothing was collected. Both begin with the same day, and `window` holds places
    in `factors`. A weekday that the term has for itself counts as its own: "Patch Tuesday".
    """
    told, days = sum(past), sum(factors[: len(past)])
    rate = (told + PRIOR) / max(days, 1.0)
    spread = spread_of(past, [rate * factor for factor in factors[: len(past)]])
    usual = predict(told, days, sum(factors[day] for day in window), spread)
    own = sum(_weekday(past, factors, day, rate) or rate * factors[day] for day in window)
    return Expected(max(usual.mean, own), usual.size)


def _weekday(
    past: Sequence[float], factors: Sequence[float], day: int, rate: float
) -> float | None:
    """Stories that the weekday of `day` has of this term, where surely more than all news."""
    same = range(day % 7, len(past), 7)
    told = sum(past[place] for place in same)
    usual = Expected(rate * sum(factors[place] for place in same) or 1e-9, sum(past) + PRIOR)
    if told < FEWEST or tail(math.ceil(told), usual) > _WEEKDAY_SURE:
        return None
    return told / len(same)


def spread_of(counts: Sequence[float], means: Sequence[float]) -> float:
    """Variance over mean of a term's days (Pearson's), 1 unless it is surely more: some names
    are hot in waves, and one more wave is no news."""
    told = sum(counts)
    pairs = [(count, mean) for count, mean in zip(counts, means, strict=True) if mean > 0]
    if told < _SPREAD_FEWEST or len(pairs) < 2:
        return 1.0
    excess = sum((count - mean) ** 2 / mean for count, mean in pairs) / (len(pairs) - 1)
    return excess if excess > 1 + _SPREAD_SURE * math.sqrt(2 / len(pairs)) else 1.0


def tail(count: int, expected: Expected) -> float:
    """The probability of `count` or more."""
    mean, size = expected
    if count <= 0:
        return 1.0
    log = math.lgamma(count + size) - math.lgamma(size) - math.lgamma(count + 1)
    log += size * math.log(size / (size + mean)) + count * math.log(mean / (size + mean))
    term, total, factor = math.exp(log), 0.0, mean / (size + mean)
    while term > total * 1e-9 or count < mean:
        total += term
        term *= (count + size) / (count + 1) * factor
        count += 1
    return min(total, 1.0)


class Test(NamedTuple):
    """A term's window: `key` is the caller's."""

    key: int
    stories: int
    expected: Expected

    @property
    def p(self) -> float:
        return tail(self.stories, self.expected)


def bin_of(expected: Expected) -> int:
    return round(math.log(max(expected.mean, 1e-9)) * _STEPS)


def find_bursts(tests: Iterable[Test], tested: Mapping[int, int], rate: float) -> dict[int, float]:
    """{key: p} of the tests beyond the line; a key's best window counts.

    `tested` is how many windows were tested by `bin_of` what was expected of them, those that
    nothing happened in too; `rate` is how many false alarms all of them together may give.
    """
    found = sorted((one.p, one.key) for one in tests if one.stories >= FEWEST)
    line = draw_line([p for p, _ in found if p <= LIKELY], tested, rate)
    best: dict[int, float] = {}
    for p, key in found:
        if p <= line:
            best.setdefault(key, p)
    return best


def draw_line(found: Sequence[float], tested: Mapping[int, int], rate: float) -> float:
    """The largest of the ascending p-values at which the false alarms to be expected are at
    most `rate` for each that is found; 0 for none."""
    for number in range(len(found), 0, -1):
        if false_alarms(found[number - 1], tested) <= rate * number:
            return found[number - 1]
    return 0.0


def false_alarms(line: float, tested: Mapping[int, int]) -> float:
    """How many of the tested windows lie beyond the line by chance."""
    return sum(many * _reached(mean_bin, line) for mean_bin, many in tested.items())


def count_tests(expected: Iterable[Expected]) -> Counter[int]:
    return Counter(map(bin_of, expected))


def _reached(mean_bin: int, line: float) -> float:
    """The greatest probability up to the line that a whole number of stories can have."""
    tails = _tails(mean_bin)
    place = bisect_left(tails, -line, key=lambda p: -p)
    return tails[place] if place < len(tails) else 0.0


@lru_cache(maxsize=4_000)
def _tails(mean_bin: int) -> tuple[float, ...]:
    """The tails of FEWEST stories and more, descending, as far as they matter."""
    mean = math.exp(mean_bin / _STEPS)
    expected = Expected(mean, max(mean * _PAST, PRIOR))
    found = []
    for count in range(FEWEST, FEWEST + 1_000_000):
        p = tail(count, expected)
        if p <= LIKELY:
            found.append(p)
        if p < _NEGLIGIBLE:
            break
    return tuple(found)


_PAST = 56.0
"""Days that a mean was learned from, mostly; fewer make the tail a little heavier."""
