"""The statistical test for bursts of terms. Pure.

The number of stories on a term is tested against the negative binomial distribution that its past
predicts: the posterior of a Poisson rate with Jeffreys' prior (Gelman et al., Bayesian Data
Analysis, 2.6). The evidence for a burst is the likelihood ratio of a rate of up to three times the
usual one (Neyman and Pearson 1933), so frequent terms need a smaller excess than new ones. The
threshold controls the rate of false alarms over all tested terms (Benjamini and Hochberg 1995, for
discrete tests Heyse 2011).
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple

MIN_STORIES = 3
"""Least number of stories, and of sources, of a trend."""
FALSE_ALARMS = 1 / 10
"""Allowed false alarms per day, of all terms together. In practice there are about 0.8 a week,
because the past is not known exactly."""
PRIOR = 0.5
"""Jeffreys' prior, in stories: a new term is expected about once in a hundred days."""
MAX_P = 0.01
"""Highest p-value of a burst, however few terms are tested."""
_NEGLIGIBLE = 1e-13
_P_TOLERANCE = 0.8
"""Tolerance for p-values of a bin, because its mean differs from the mean of the term."""
_STEPS = 40
"""Bins per factor of e of the mean, so that means in one bin differ by at most 2.5 %."""
MAX_FACTOR = 3.0
"""Highest factor of the usual rate in the likelihood ratio. A higher one would favour the rarest
terms and spend all allowed false alarms on them."""
_DISPERSION_MIN_STORIES, _DISPERSION_SIGNIFICANCE = 10, 2.5
"""Dispersion is estimated from so many stories on, and used if it exceeds 1 by so many standard
errors."""
_WEEKDAY_MAX_P = 1e-3


class Expected(NamedTuple):
    """A negative binomial distribution with this mean and the variance mean + mean² / size."""

    mean: float
    size: float


def predict(stories: float, days: float, window: float, dispersion: float = 1.0) -> Expected:
    """Predict the stories of `window` days for a term with `stories` stories in `days` days.

    `dispersion` is the ratio of variance to mean, see `dispersion_of`.
    """
    mean = (stories + PRIOR) * window / max(days, 1.0)
    size = stories + PRIOR
    return Expected(mean, min(size, mean / (dispersion - 1)) if dispersion > 1 else size)


def expect(past: Sequence[float], factors: Sequence[float], window: Sequence[int]) -> Expected:
    """Predict the stories of the days `window` for a term.

    `past` are its stories per day. `factors` are the volume of all news per day relative to the
    mean, 0 for days without data; both start with the same day. `window` are indices of `factors`.
    If a weekday has significantly more stories of the term ("Patch Tuesday"), its own mean counts.
    """
    stories, days = sum(past), sum(factors[: len(past)])
    rate = (stories + PRIOR) / max(days, 1.0)
    dispersion = dispersion_of(past, [rate * factor for factor in factors[: len(past)]])
    usual = predict(stories, days, sum(factors[day] for day in window), dispersion)
    own = sum(_weekday(past, factors, day, rate) or rate * factors[day] for day in window)
    return Expected(max(usual.mean, own), usual.size)


def _weekday(
    past: Sequence[float], factors: Sequence[float], day: int, rate: float
) -> float | None:
    """The mean stories of the term on the weekday of `day`, None unless significantly more than
    the volume of all news explains."""
    same = range(day % 7, len(past), 7)
    stories = sum(past[place] for place in same)
    usual = Expected(rate * sum(factors[place] for place in same) or 1e-9, sum(past) + PRIOR)
    if stories < MIN_STORIES or tail(math.ceil(stories), usual) > _WEEKDAY_MAX_P:
        return None
    return stories / len(same)


def dispersion_of(counts: Sequence[float], means: Sequence[float]) -> float:
    """The ratio of variance to mean of a term's days (Pearson's), or 1 unless it is significantly
    higher. Terms that return in waves have a high one, and another wave of them is no burst."""
    stories = sum(counts)
    pairs = [(count, mean) for count, mean in zip(counts, means, strict=True) if mean > 0]
    if stories < _DISPERSION_MIN_STORIES or len(pairs) < 2:
        return 1.0
    excess = sum((count - mean) ** 2 / mean for count, mean in pairs) / (len(pairs) - 1)
    return excess if excess > 1 + _DISPERSION_SIGNIFICANCE * math.sqrt(2 / len(pairs)) else 1.0


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


def capped_count(sources_of_stories: Iterable[Collection[int]]) -> int:
    """Return how many stories count, given the sources of each.

    Stories of a single source count at most as much as all others together, so that one prolific
    source cannot make a trend.
    """
    alone: Counter[int] = Counter()
    total = 0
    for sources in sources_of_stories:
        total += 1
        if len(sources) == 1:
            alone.update(sources)
    return min(total, 2 * (total - max(alone.values(), default=0)))


class WindowTest(NamedTuple):
    """A test of a term in a time window.

    `key` identifies it for the caller; `past` is the number of earlier windows that `expected` was
    estimated from.
    """

    key: int
    stories: int
    expected: Expected
    past: int

    @property
    def p(self) -> float:
        return tail(self.stories, self.expected)


Bin = tuple[int, int]
"""(logarithm of the mean in steps, number of windows that it was estimated from). Terms of one bin
have about the same distribution."""


def bin_of(mean: float, past: int) -> Bin:
    return round(math.log(max(mean, 1e-9)) * _STEPS), past


def find_bursts(
    tests: Iterable[WindowTest], tested: Mapping[Bin, int], rate: float
) -> dict[int, float]:
    """Return {key: p-value} of the significant tests. The best window of a key counts.

    `tested` counts all tested windows by `bin_of`, including those without stories. `rate` is the
    expected number of false alarms per accepted burst; without bursts, of all tests together.
    """
    with_p = [(test, test.p) for test in tests if test.stories >= MIN_STORIES]
    results = [(_evidence(test, p), p, test.key) for test, p in with_p if p <= MAX_P]
    threshold = evidence_threshold(
        sorted((result[0] for result in results), reverse=True), tested, rate
    )
    best: dict[int, float] = {}
    for evidence, p, key in sorted(results, key=lambda result: result[1]):
        if evidence >= threshold:
            best.setdefault(key, p)
    return best


def evidence_threshold(evidence: Sequence[float], tested: Mapping[Bin, int], rate: float) -> float:
    """Return the threshold of evidence by the method of Benjamini and Hochberg.

    `evidence` is in descending order. The result is the lowest value of it at which at most `rate`
    false alarms per accepted test are expected, or infinity.
    """
    for number in range(len(evidence), 0, -1):
        if expected_false_alarms(evidence[number - 1], tested) <= rate * number:
            return evidence[number - 1]
    return math.inf


def expected_false_alarms(threshold: float, tested: Mapping[Bin, int]) -> float:
    """Return how many tested windows are expected to reach the threshold by chance."""
    return sum(count * _chance_to_reach(bin_, threshold) for bin_, count in tested.items())


def likelihood(stories: float, mean: float) -> float:
    """The log-likelihood ratio of a burst against the usual rate `mean`, for so many stories. The
    rate of the burst is the observed one, at most MAX_FACTOR times the usual."""
    factor = min(max(stories / mean, 1.0), MAX_FACTOR)
    return stories * math.log(factor) - (factor - 1) * mean


def _evidence(test: WindowTest, p: float) -> float:
    """The log-likelihood ratio of a count that is equally improbable for a term without
    overdispersion."""
    tails = _tails(*bin_of(test.expected.mean, test.past))
    place = bisect_left(tails, -p * _P_TOLERANCE, key=lambda tail_: -tail_.p)
    return tails[place - 1].evidence if place else -math.inf


def _chance_to_reach(bin_: Bin, threshold: float) -> float:
    """The probability that a term of a bin reaches the threshold by chance."""
    tails = _tails(*bin_)
    place = bisect_left(tails, threshold, key=lambda tail_: tail_.evidence)
    return tails[place].p if place < len(tails) else 0.0


class _Tail(NamedTuple):
    evidence: float
    p: float


@lru_cache(maxsize=20_000)
def _tails(mean_bin: int, past: int) -> tuple[_Tail, ...]:
    """Evidence and p-value of each count of stories from MIN_STORIES on, until p is negligible."""
    mean = math.exp(mean_bin / _STEPS)
    expected = Expected(mean, max(mean * past, PRIOR))
    tails = []
    for count in range(MIN_STORIES, MIN_STORIES + 1_000_000):
        p = tail(count, expected)
        if p <= 2 * MAX_P:
            tails.append(_Tail(likelihood(count, mean), p))
        if p < _NEGLIGIBLE:
            break
    return tuple(tails)
