"""The counts of all days in memory, and the part of them that an audience can see.

Only the worker needs this module's functions, so they import numpy themselves.
"""

import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

from django.db.models import Sum

from feeds.models import Source, TermDay, TrendDay
from feeds.trends.burst import MIN_STORIES
from feeds.trends.count import DAYS, RARE, YOUNG

CHUNK = 20_000
PAST_DAYS = 56
"""Days before a window from which the usual number of stories is estimated."""
MIN_DAYS_KNOWN = 7
"""Days for which a source must have been polled before its items count."""
_START_SHARE = 0.1
"""A source's past starts on the day by which it had published this fraction of its items, because
a feed may keep a single very old post."""
_KINDS = {"term": "i", "day": "h", "story": "q", "start": "q", "teller": "i", "is_copy": "b"}
"""Array types of the columns of Tallies. They are small, because there may be millions of rows."""
_EVEN = 50.0
"""Prior of the weekday factors: items of a week with equal days."""


@dataclass(frozen=True)
class Tallies:
    """All counts in arrays. A group is a story that mentions a term on a day.

    `term` (index in `terms`), `day` (0 is the oldest) and `story` (id) have a value per group, in
    the order of terms. The sources of group g are `teller[start[g]:start[g + 1]]`, as indices of
    `sources`; `is_copy` tells for each whether it published only a copy. `items` is {source id:
    items per day}, `since` {source id: when it was added}.
    """

    today: date
    terms: list[str]
    sources: list[int]
    term: Any
    day: Any
    story: Any
    start: Any
    teller: Any
    is_copy: Any
    items: dict[int, list[int]]
    since: dict[int, date]

    @cached_property
    def _places(self) -> dict[str, int]:
        return {term: place for place, term in enumerate(self.terms)}

    def place(self, term: str) -> int:
        """Return the index of a known term in `terms`."""
        return self._places[term]


def load(today: date) -> Tallies:
    """Load the stored counts of the last DAYS days up to `today` into arrays."""
    import numpy as np

    first = today - timedelta(days=DAYS - 1)
    known = (
        TermDay.objects.values("term").annotate(total=Sum("count")).filter(total__gte=MIN_STORIES)
    )
    rows = TermDay.objects.filter(day__gte=first, day__lte=today, term__in=known.values("term"))
    terms: dict[str, int] = {}
    places: dict[int, int] = {}
    columns = tuple(array(kind) for kind in _KINDS.values())
    ordered = rows.order_by("term", "day").values_list("term", "day", "stories")
    for term, day, stories in ordered.iterator(CHUNK):
        number = terms.setdefault(term, len(terms))
        _read_row(columns, places, number, (day - first).days, json.loads(stories))
    named_columns = zip(_KINDS, columns, strict=True)
    arrays: dict[str, Any] = {name: np.array(column) for name, column in named_columns}
    since = dict(Source.objects.values_list("pk", "created_at__date"))
    items = _items(first, today)
    return Tallies(today, list(terms), list(places), items=items, since=since, **arrays)


def _read_row(
    columns: "tuple[array[int], ...]",
    places: dict[int, int],
    term: int,
    day: int,
    stories: Iterable[list[int]],
) -> None:
    terms, days, ids, starts, tellers, copies = columns
    for story, *sources in stories:
        terms.append(term)
        days.append(day)
        ids.append(story)
        starts.append(len(tellers))
        for source in sources:
            tellers.append(places.setdefault(abs(source), len(places)))
            copies.append(source < 0)


def _items(first: date, today: date) -> dict[int, list[int]]:
    """{source id: items per day}"""
    counts: defaultdict[int, list[int]] = defaultdict(lambda: [0] * DAYS)
    days = TrendDay.objects.filter(day__gte=first, day__lte=today)
    for day, sources in days.values_list("day", "sources"):
        for source, number in sources.items():
            counts[int(source)][(day - first).days] = number
    return dict(counts)


@dataclass(frozen=True)
class Visible:
    """The part of the tallies that an audience can see.

    `counts` [terms, days] are stories. `past` [terms, days] are stories extrapolated to what
    there would be if all sources had been polled the whole time. `factors` are the volume of each
    day relative to the mean. `visible` [sources] is whether the audience can see a source.
    """

    tallies: Tallies
    counts: Any
    past: Any
    factors: list[float]
    visible: Any

    def stories(self, term: int, first: int) -> dict[int, set[int]]:
        """{story id: ids of its sources} for a term from day `first` on. If only copies of a
        story are visible, one of them counts."""
        import numpy as np

        t = self.tallies
        low, high = np.searchsorted(t.term, [term, term + 1])
        ends = np.append(t.start, len(t.teller))
        own: defaultdict[int, set[int]] = defaultdict(set)
        copied: dict[int, int] = {}
        for group in range(low, high):
            if t.day[group] < first:
                continue
            for teller in range(ends[group], ends[group + 1]):
                if not self.visible[t.teller[teller]]:
                    continue
                source, story = t.sources[t.teller[teller]], int(t.story[group])
                if t.is_copy[teller]:
                    copied.setdefault(story, source)
                else:
                    own[story].add(source)
        return {story: {source} for story, source in copied.items()} | dict(own)


def restrict_to(tallies: Tallies, sources: Collection[int]) -> Visible:
    """Compute what users who can see exactly these sources can know."""
    import numpy as np

    watched = _watched(tallies, sources)
    by_place = np.array([watched.get(source, 0) for source in tallies.sources], np.float64)
    shape = len(tallies.terms), DAYS
    place = tallies.term.astype(np.int64) * DAYS + tallies.day
    if len(place):
        longest = np.maximum.reduceat(by_place[tallies.teller], tallies.start)
    else:
        longest = np.zeros(0)
    counts = np.bincount(place, longest > 0, shape[0] * DAYS).reshape(shape)
    weights = np.where(longest > 0, PAST_DAYS / np.maximum(longest, 1), 0)
    past = np.bincount(place, weights, shape[0] * DAYS).reshape(shape)
    # Whether old counts of a rare term still exist depends on sources that this audience may not
    # see. Therefore every rare term gets the count of the most frequent deleted one.
    old = counts[:, : DAYS - YOUNG].sum(axis=1) < RARE
    past[old, : DAYS - YOUNG] = (RARE - 1) / (DAYS - YOUNG)
    return Visible(tallies, counts, past, _factors(tallies, watched), by_place > 0)


def _watched(tallies: Tallies, sources: Collection[int]) -> dict[int, int]:
    """{source id: days, at most 56, of which its items are known}, without sources that are known
    for less than a week."""
    days_known = {}
    for source in sources:
        since = (tallies.today - tallies.since.get(source, tallies.today)).days
        days = min(max(since, _days_of(tallies.items.get(source, []))), PAST_DAYS)
        if days >= MIN_DAYS_KNOWN:
            days_known[source] = days
    return days_known


def _days_of(items: list[int]) -> int:
    """How many days ago a source's past starts, by the dates of its items."""
    least, total = _START_SHARE * sum(items), 0
    for day, number in enumerate(items):
        total += number
        if total and total >= least:
            return DAYS - 1 - day
    return 0


def _factors(tallies: Tallies, watched: Mapping[int, int]) -> list[float]:
    """The usual volume of each day's weekday relative to the mean; 0 for days without items."""
    totals = [0] * DAYS
    for source in watched:
        for day, number in enumerate(tallies.items.get(source, [])):
            totals[day] += number
    weekdays: dict[int, float] = dict.fromkeys(range(7), _EVEN / 7)
    days = Counter(day % 7 for day in range(DAYS - 1) if totals[day])
    for day in range(DAYS - 1):  # today is not over
        weekdays[day % 7] += totals[day] / (days[day % 7] or 1)
    mean = sum(weekdays.values()) / 7
    is_empty = [not total and day < DAYS - 1 for day, total in enumerate(totals)]
    return [0.0 if is_empty[day] else weekdays[day % 7] / mean for day in range(DAYS)]


def is_known(visible: Visible) -> Any:
    """Return a boolean array [terms]: whether enough stories name the term to test it."""
    return visible.counts.sum(axis=1) >= MIN_STORIES
