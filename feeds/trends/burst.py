"""How much speaks for a burst of a term, and from where on it is one. Pure.

A count of stories is tested against the negative binomial that the term's past predicts: the
posterior of a Poisson rate with Jeffreys' prior (Gelman et al., Bayesian Data Analysis, 2.6).
What speaks for a burst is the likelihood ratio of up to three times the usual, the best there
is where the usual is known (Neyman and Pearson 1933); so often told terms need less of an excess
than new ones. The line is that of Benjamini and Hochberg (1995) for counts (Heyse 2011): it
allows a rate of false alarms by what the tested terms can really give, as stories are whole.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

FEWEST = 3
"""Stories, and sources: fewer are no trend, whatever the past."""
FALSE_ALARMS = 1 / 10
"""A day, of all terms together; what is not known of the past brings it to some 0.8 a week."""
PRIOR = 0.5
"""Jeffreys': a term that was never told of is expected once in a hundred days or so."""
LIKELY = 0.01
"""No line is drawn above: what happens by chance once in a hundred is no news."""
_NEGLIGIBLE = 1e-13
_EQUAL = 0.8
"""A bin's mean differs from the term's own, and its tails with it."""
_STEPS = 40
"""Bins of the mean a factor of e: what is predicted differs by 2.5 % within one."""
MAX_FACTOR = 3.0
"""A burst of ten times speaks no louder for each story than one of three: with more, all the
false alarms would be spent on the rarest terms."""
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
    """Return the probability of observing `count` or more stories."""
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


def counted(tellers: Iterable[Collection[int]]) -> int:
    """How many stories count, by the sources of each: those that one source alone tells are
    no more than all others, so that a prolific one makes no trend."""
    alone: Counter[int] = Counter()
    total = 0
    for sources in tellers:
        total += 1
        if len(sources) == 1:
            alone.update(sources)
    return min(total, 2 * (total - max(alone.values(), default=0)))


class Count(NamedTuple):
    """A term's window: `key` is the caller's, `past` how many such windows it was learned from."""

    key: int
    stories: int
    expected: Expected
    past: int

    @property
    def p(self) -> float:
        return tail(self.stories, self.expected)


Bin = tuple[int, int]
"""Of the mean's logarithm, and how many windows the mean was learned from: terms of one bin vary
alike by chance."""


def bin_of(mean: float, past: int) -> Bin:
    return round(math.log(max(mean, 1e-9)) * _STEPS), past


def find_bursts(tests: Iterable[Count], tested: Mapping[Bin, int], rate: float) -> dict[int, float]:
    """{key: p} of the tests beyond the line; a key's best window counts.

    `tested` is how many windows were tested by `bin_of` what was expected of them, those that
    nothing happened in too; `rate` is how many false alarms all of them together may give.
    """
    likely = [(one, one.p) for one in tests if one.stories >= FEWEST]
    found = [(_evidence(one, p), p, one.key) for one, p in likely if p <= LIKELY]
    line = draw_line(sorted((one[0] for one in found), reverse=True), tested, rate)
    best: dict[int, float] = {}
    for evidence, p, key in sorted(found, key=lambda one: one[1]):
        if evidence >= line:
            best.setdefault(key, p)
    return best


def draw_line(found: Sequence[float], tested: Mapping[Bin, int], rate: float) -> float:
    """The least evidence, of what is found in descending order, at which the false alarms to
    be expected are at most `rate` for each that is found; infinite for none."""
    for number in range(len(found), 0, -1):
        if false_alarms(found[number - 1], tested) <= rate * number:
            return found[number - 1]
    return math.inf


def false_alarms(line: float, tested: Mapping[Bin, int]) -> float:
    """Return how many tested windows are expected to exceed the line by chance."""
    return sum(many * _reached(one, line) for one, many in tested.items())


def likelihood(stories: float, mean: float) -> float:
    """The logarithm of how much likelier so many stories are in a burst than without: in
    one of just that size, or of MAX_FACTOR if it is larger."""
    factor = min(max(stories / mean, 1.0), MAX_FACTOR)
    return stories * math.log(factor) - (factor - 1) * mean


def _evidence(test: Count, p: float) -> float:
    """The likelihood of as many stories as would be just as improbable of a term that varies
    by chance alone."""
    tails = _tails(*bin_of(test.expected.mean, test.past))
    place = bisect_left(tails, -p * _EQUAL, key=lambda one: -one.p)
    return tails[place - 1].evidence if place else -math.inf


def _reached(one: Bin, line: float) -> float:
    """The probability that a whole number of stories has so much evidence."""
    tails = _tails(*one)
    place = bisect_left(tails, line, key=lambda one: one.evidence)
    return tails[place].p if place < len(tails) else 0.0


class _Tail(NamedTuple):
    evidence: float
    p: float


@lru_cache(maxsize=20_000)
def _tails(mean_bin: int, past: int) -> tuple[_Tail, ...]:
    """For FEWEST stories and more, as far as they matter."""
    mean = math.exp(mean_bin / _STEPS)
    expected = Expected(mean, max(mean * past, PRIOR))
    found = []
    for count in range(FEWEST, FEWEST + 1_000_000):
        p = tail(count, expected)
        if p <= 2 * LIKELY:
            found.append(_Tail(likelihood(count, mean), p))
        if p < _NEGLIGIBLE:
            break
    return tuple(found)
