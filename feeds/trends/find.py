"""Find the trends in what somebody may see. Only the worker does so."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from feeds.trends.burst import (
    FALSE_ALARMS,
    FEWEST,
    PRIOR,
    Bin,
    Count,
    Expected,
    bin_of,
    counted,
    expect,
    find_bursts,
)
from feeds.trends.collapse import Rise
from feeds.trends.count import DAYS
from feeds.trends.tallies import PAST, Seen, is_known
from feeds.trends.types import DISPLAYED

SHOWN_FALSELY = 0.5
"""A day, of the terms that rose within a week: the page may err more often than an alert, and
most of these are the same from day to day."""
_LEAST = 2.0
"""Standard deviations above which a term is worth an exact test."""
TODAY, TWO_DAYS, WEEK = [DAYS - 1], [DAYS - 2, DAYS - 1], list(range(DAYS - DISPLAYED, DAYS))


@dataclass(frozen=True, slots=True)
class _Tried:
    """A term in a window, as found: who told its stories."""

    term: int
    stories: dict[int, set[int]]
    expected: Expected
    past: int

    @property
    def sources(self) -> set[int]:
        return set().union(*self.stories.values())


def find_rises(seen: Seen) -> list[Rise]:
    """The terms that more is told of than their past lets expect: within two days, which is a
    burst, or within a week."""
    bursts = _beyond(seen, [TODAY, TWO_DAYS], DAYS - len(TWO_DAYS), FALSE_ALARMS)
    weeks = _beyond(seen, [WEEK], DAYS - DISPLAYED, SHOWN_FALSELY)
    found = {one.key: one for one in _rises(seen, weeks, is_burst=False)}
    return list((found | {one.key: one for one in _rises(seen, bursts, is_burst=True)}).values())


def _beyond(
    seen: Seen, windows: Sequence[Sequence[int]], end: int, rate: float
) -> list[tuple[_Tried, float]]:
    """Terms with the p-value of their best window, by the 56 days before the day `end`."""
    tested: Counter[Bin] = Counter()
    tried: list[_Tried] = []
    for window in windows:
        means, candidates = _candidates(seen, window, end)
        tested.update(means)
        tried += [_try(seen, int(term), window, end) for term in candidates]
    fit = [one for one in tried if len(one.sources) >= FEWEST]
    tests = [
        Count(number, counted(one.stories.values()), one.expected, one.past)
        for number, one in enumerate(fit)
    ]
    best: dict[int, tuple[_Tried, float]] = {}
    for number, p in find_bursts(tests, tested, rate).items():
        one = fit[number]
        if one.term not in best or p < best[one.term][1]:
            best[one.term] = one, p
    return list(best.values())


def _candidates(seen: Seen, window: Sequence[int], end: int) -> tuple[Counter[Bin], Any]:
    """How many terms are tested, by `bin_of` their mean, and those that stand out."""
    import numpy as np

    days = sum(seen.factors[end - PAST : end]) or 1.0
    share = sum(seen.factors[day] for day in window) / max(days, 1.0)
    means = (seen.past[:, end - PAST : end].sum(axis=1) + PRIOR) * share
    told = seen.counts[:, window].sum(axis=1)
    known, past = is_known(seen), _past(seen, window, end)
    bins = Counter(bin_of(mean, past) for mean in means[known].tolist())
    excess = (told - means) / np.sqrt(means + 0.5)
    return bins, np.flatnonzero(known & (told >= FEWEST) & (excess >= _LEAST))


def _past(seen: Seen, window: Sequence[int], end: int) -> int:
    """How many such windows are known of before the day `end`."""
    return max(round(sum(seen.factors[end - PAST : end]) / len(window)), 1)


def _try(seen: Seen, term: int, window: Sequence[int], end: int) -> _Tried:
    past = seen.past[term, end - PAST : end].tolist()
    first = end - PAST
    expected = expect(past, seen.factors[first:], [day - first for day in window])
    return _Tried(term, seen.stories(term, window[0]), expected, _past(seen, window, end))


def _rises(seen: Seen, found: Iterable[tuple[_Tried, float]], *, is_burst: bool) -> Iterator[Rise]:
    """With the stories of the whole week, which are shown."""
    for one, p in found:
        stories = frozenset(seen.stories(one.term, WEEK[0]))
        key = seen.tallies.terms[one.term]
        week = _try(seen, one.term, WEEK, WEEK[0]).expected
        yield Rise(key, stories, week, p, is_burst)
