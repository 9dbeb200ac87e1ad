"""The counts of all days in memory, and what they are for those who see some of the sources.

Only the worker loads it: numpy is imported where it is used.
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
from feeds.trends.burst import FEWEST
from feeds.trends.count import DAYS, RARE, YOUNG

CHUNK = 20_000
PAST = 56
WATCHED = 7
"""Days that a source must have been watched: before, nobody knows what it writes usually."""
_FIRST_PART = 0.1
"""A source's past begins with the day that has brought so much of it: a feed may keep one post
of long ago at its top."""
_KINDS = {"term": "i", "day": "h", "story": "q", "start": "q", "teller": "i", "is_copy": "b"}
"""Of the arrays of Tallies, the smallest that do: there may be millions of each."""
_EVEN = 50.0
"""Items of an even week that the weekdays' shares begin with."""


@dataclass(frozen=True)
class Tallies:
    """A group is a story that names a term on a day; `tellers` are places in `sources`.

    All are arrays: `term`, `day` (0 the oldest), `story` and `start` by group, in the order of
    terms; `teller` and `is_copy` from `start` of a group to that of the next.
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
    known = TermDay.objects.values("term").annotate(told=Sum("count")).filter(told__gte=FEWEST)
    rows = TermDay.objects.filter(day__gte=first, day__lte=today, term__in=known.values("term"))
    terms: dict[str, int] = {}
    places: dict[int, int] = {}
    columns = tuple(array(kind) for kind in _KINDS.values())
    ordered = rows.order_by("term", "day").values_list("term", "day", "stories")
    for term, day, stories in ordered.iterator(CHUNK):
        number = terms.setdefault(term, len(terms))
        _read_row(columns, places, number, (day - first).days, json.loads(stories))
    found = zip(_KINDS, columns, strict=True)
    arrays: dict[str, Any] = {name: np.array(column) for name, column in found}
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
    """{source id: items by day}."""
    found: defaultdict[int, list[int]] = defaultdict(lambda: [0] * DAYS)
    days = TrendDay.objects.filter(day__gte=first, day__lte=today)
    for day, sources in days.values_list("day", "sources"):
        for source, number in sources.items():
            found[int(source)][(day - first).days] = number
    return dict(found)


@dataclass(frozen=True)
class Seen:
    """The tallies of some sources. `counts` is [terms, days] of stories; `past` the same of the
    stories that all sources would have told, had they been watched all the time; `factors` how
    much of a mean day each day has; `visible` [sources] says whose tellings count."""

    tallies: Tallies
    counts: Any
    past: Any
    factors: list[float]
    visible: Any

    def stories(self, term: int, first: int) -> dict[int, set[int]]:
        """{story: ids of its sources} of a term, from the day `first` on. Where all that can
        be seen are copies, one of them counts."""
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


def see(tallies: Tallies, sources: Collection[int]) -> Seen:
    """What those who may see `sources`, and no others, can know."""
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
    weights = np.where(longest > 0, PAST / np.maximum(longest, 1), 0)
    past = np.bincount(place, weights, shape[0] * DAYS).reshape(shape)
    # Whether a rare term of long ago is still kept depends on others' sources too: to all it
    # was told of as often as one that is just not kept.
    old = counts[:, : DAYS - YOUNG].sum(axis=1) < RARE
    past[old, : DAYS - YOUNG] = (RARE - 1) / (DAYS - YOUNG)
    return Seen(tallies, counts, past, _factors(tallies, watched), by_place > 0)


def _watched(tallies: Tallies, sources: Collection[int]) -> dict[int, int]:
    """{source id: days, 56 at most, that are known of it before the last one}; those that are
    known for less than a week are left out."""
    found = {}
    for source in sources:
        since = (tallies.today - tallies.since.get(source, tallies.today)).days
        days = min(max(since, _days_of(tallies.items.get(source, []))), PAST)
        if days >= WATCHED:
            found[source] = days
    return found


def _days_of(items: list[int]) -> int:
    """How many days ago a source's past begins, by what its feed brought when it was new."""
    least, told = _FIRST_PART * sum(items), 0
    for day, number in enumerate(items):
        told += number
        if told and told >= least:
            return DAYS - 1 - day
    return 0


def _factors(tallies: Tallies, watched: Mapping[int, int]) -> list[float]:
    """Each day's weekday as a part of a mean day, 0 where nothing came at all."""
    totals = [0] * DAYS
    for source in watched:
        for day, number in enumerate(tallies.items.get(source, [])):
            totals[day] += number
    weekdays: dict[int, float] = dict.fromkeys(range(7), _EVEN / 7)
    days = Counter(day % 7 for day in range(DAYS - 1) if totals[day])
    for day in range(DAYS - 1):  # the last one is not over
        weekdays[day % 7] += totals[day] / (days[day % 7] or 1)
    mean = sum(weekdays.values()) / 7
    is_empty = [not total and day < DAYS - 1 for day, total in enumerate(totals)]
    return [0.0 if is_empty[day] else weekdays[day % 7] / mean for day in range(DAYS)]


def is_known(seen: Seen) -> Any:
    """Return a boolean array [terms]: whether enough stories name the term to test it."""
    return seen.counts.sum(axis=1) >= FEWEST
