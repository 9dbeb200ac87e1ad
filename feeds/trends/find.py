"""Find the terms that rose significantly, for one audience. Only the worker does this."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
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
)
from feeds.trends.collapse import Rise
from feeds.trends.count import DAYS
from feeds.trends.tallies import PAST_DAYS, Visible, is_known
from feeds.trends.types import DISPLAYED

SHOWN_FALSELY = 0.5
"""Allowed false alarms per day of the page's weekly trends. More than for alerts, because most of
them stay the same from day to day."""
_LEAST = 2.0
"""Excess in standard deviations from which a term gets an exact test."""
TODAY, TWO_DAYS, WEEK = [DAYS - 1], [DAYS - 2, DAYS - 1], list(range(DAYS - DISPLAYED, DAYS))


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A term that is tested in a time window. `stories` is {story id: source ids}."""

    term: int
    stories: dict[int, set[int]]
    expected: Expected
    past: int

    @property
    def sources(self) -> set[int]:
        return set().union(*self.stories.values())


def find_rises(visible: Visible) -> list[Rise]:
    """Return the terms that more stories mention than their past predicts, within one or two
    days (a burst) or within a week."""
    bursts = _significant(visible, [TODAY, TWO_DAYS], DAYS - len(TWO_DAYS), FALSE_ALARMS)
    weeks = _significant(visible, [WEEK], DAYS - DISPLAYED, SHOWN_FALSELY)
    rises = {rise.key: rise for rise in _rises(visible, weeks, is_burst=False)}
    rises |= {rise.key: rise for rise in _rises(visible, bursts, is_burst=True)}
    return list(rises.values())


def _significant(
    visible: Visible, windows: Sequence[Sequence[int]], end: int, rate: float
) -> list[tuple[_Candidate, float]]:
    """Test all terms in these windows. Return the significant ones with their lowest p-value.

    The prediction comes from the 56 days before day `end`. `rate` is the allowed number of false
    alarms.
    """
    tested: Counter[Bin] = Counter()
    tested_terms: list[_Candidate] = []
    for window in windows:
        means, candidates = _candidates(visible, window, end)
        tested.update(means)
        tested_terms += [_predict(visible, int(term), window, end) for term in candidates]
    widely_covered = [
        candidate for candidate in tested_terms if len(candidate.sources) >= MIN_STORIES
    ]
    tests = [
        WindowTest(number, capped_count(c.stories.values()), c.expected, c.past)
        for number, c in enumerate(widely_covered)
    ]
    best: dict[int, tuple[_Candidate, float]] = {}
    for number, p in find_bursts(tests, tested, rate).items():
        candidate = widely_covered[number]
        if candidate.term not in best or p < best[candidate.term][1]:
            best[candidate.term] = candidate, p
    return list(best.values())


def _candidates(visible: Visible, window: Sequence[int], end: int) -> tuple[Counter[Bin], Any]:
    """Return the number of tested terms by `bin_of` their mean, and the indices of those that may
    be significant."""
    import numpy as np

    days = sum(visible.factors[end - PAST_DAYS : end]) or 1.0
    share = sum(visible.factors[day] for day in window) / max(days, 1.0)
    means = (visible.past[:, end - PAST_DAYS : end].sum(axis=1) + PRIOR) * share
    stories = visible.counts[:, window].sum(axis=1)
    known, past = is_known(visible), _past(visible, window, end)
    bins = Counter(bin_of(mean, past) for mean in means[known].tolist())
    excess = (stories - means) / np.sqrt(means + 0.5)
    return bins, np.flatnonzero(known & (stories >= MIN_STORIES) & (excess >= _LEAST))


def _past(visible: Visible, window: Sequence[int], end: int) -> int:
    """The number of windows of this length with data before day `end`."""
    return max(round(sum(visible.factors[end - PAST_DAYS : end]) / len(window)), 1)


def _predict(visible: Visible, term: int, window: Sequence[int], end: int) -> _Candidate:
    past = visible.past[term, end - PAST_DAYS : end].tolist()
    first = end - PAST_DAYS
    expected = expect(past, visible.factors[first:], [day - first for day in window])
    return _Candidate(term, visible.stories(term, window[0]), expected, _past(visible, window, end))


def _rises(
    visible: Visible, significant: Iterable[tuple[_Candidate, float]], *, is_burst: bool
) -> Iterator[Rise]:
    """Turn significant terms into rises with the stories of the whole week."""
    for candidate, p in significant:
        stories = frozenset(visible.stories(candidate.term, WEEK[0]))
        key = visible.tallies.terms[candidate.term]
        week = _predict(visible, candidate.term, WEEK, WEEK[0]).expected
        yield Rise(key, stories, week, p, is_burst)
