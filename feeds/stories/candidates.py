"""What may be ranked: the tellings of the last days, read once for all readers.

They are kept in columns, 4.5 MB at 110,000 of them, as rows would take longer to unpack than
the query that they spare. What each reader gets is exact all the same: what came since, or had
no story then, is asked for and is little; what changes a telling that was kept changes the
revision that it was kept under. A list for each reader would seldom be asked for twice.
"""

import json
from array import array
from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import chain, compress, islice, takewhile
from typing import Any, NamedTuple

from django.db.models import Min, TextField
from django.db.models.functions import Cast

from accounts.models import User
from accounts.remember import remembered
from feeds.ids import lowest_id
from feeds.models import Item, ItemState
from feeds.models.item import ItemQuerySet
from feeds.revisions import News, news_for

SHOWN_DAYS = 7
MOST_ITEMS = 3_000
"""Of one reader, the newest."""
MOST_KEPT = 250_000
"""With more than that in those days, each reader's are asked for."""
FRESH = 600
"""Seconds, after which what came since is no longer little."""
CHUNK = 20_000
MUCH = 20
"""Of the tellings, the part from which on a reader has much."""


class Telling(NamedTuple):
    """The little of an item that ranking needs: most of what is ranked is not shown."""

    id: int
    story: int
    source: int
    copy_of: int | None
    topics: list[str]


class Columns(NamedTuple):
    """Tellings, the newest first, that had arrived by `upto`. `topics` are numbers of `kinds`;
    in `copies` 0 is no original; `places` are the lines of each source."""

    upto: int
    ids: "array[int]"
    stories: "array[int]"
    sources: "array[int]"
    copies: "array[int]"
    topics: "array[int]"
    kinds: list[list[str]]
    places: "dict[int, array[int]]"

    def of(self, sources: Collection[int]) -> Iterator[Telling]:
        for n in self._lines(sources):
            original, topics = self.copies[n] or None, self.kinds[self.topics[n]]
            yield Telling(self.ids[n], self.stories[n], self.sources[n], original, topics)

    def _lines(self, sources: Collection[int]) -> Iterable[int]:
        """Of much the newest are found by going back, of little by putting it together."""
        own = [self.places[source] for source in sources if source in self.places]
        if sum(map(len, own)) > len(self.ids) / MUCH:
            return compress(range(len(self.ids)), map(sources.__contains__, self.sources))
        return sorted(chain.from_iterable(own))


def recent_tellings(user: User, sources: Collection[int], now: datetime) -> list[Telling]:
    """Those of `sources` that the reader did not hide, the newest first."""
    since = now - timedelta(days=SHOWN_DAYS)
    lowest = lowest_id(since)
    news = news_for(user)
    kept = _shared(since, news)
    hidden = _hidden(user, lowest)
    fresh: list[Telling] = []
    if news.seq > kept.upto:
        asked = _ask(sources, lowest, kept.upto)[: MOST_ITEMS + len(hidden)]
        fresh = [one for one in map(Telling._make, asked) if one.id not in hidden]
    old = takewhile(lambda one: one.id >= lowest, kept.of(sources))
    shown = islice((one for one in old if one.id not in hidden), MOST_ITEMS)
    return sorted([*fresh, *shown], key=lambda one: -one.id)[:MOST_ITEMS]


def _hidden(user: User, lowest: int) -> set[int]:
    rows = ItemState.objects.filter(user=user, is_hidden=True, item_id__gte=lowest)
    return set(rows.values_list("item_id", flat=True))


def _ask(sources: Iterable[int], lowest: int, beyond: int) -> Any:
    """What arrived after the number `beyond`."""
    rows = Item.objects.filter(source__in=list(sources), seq__gt=beyond, pk__gte=lowest)
    told = rows.filter(story__isnull=False).newest_first()
    return told.values_list("id", "story_id", "source_id", "copy_of", "topics")


def _shared(since: datetime, news: News) -> Columns:
    """From the beginning of a day on, so that all readers of that day share them."""
    day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return remembered(
        f"candidates-{day:%Y%m%d}",
        lambda: _read(lowest_id(day), news.seq),
        fresh=FRESH,
        stamp=news.grouping,
        near=FRESH,
    )


def _read(lowest: int, newest: int) -> Columns:
    """None at all where there are too many: then each reader's are asked for."""
    recent = Item.objects.filter(pk__gte=lowest)
    waiting = recent.filter(story=None).aggregate(first=Min("seq"))["first"]
    columns = _empty(min(newest, waiting - 1) if waiting else newest)
    kinds: dict[str, int] = {}
    told = recent.filter(seq__lte=columns.upto, story__isnull=False)
    for n, (pk, story, source, original, topics) in enumerate(_rows(told)):
        if n == MOST_KEPT:
            return _empty(0)
        columns.ids.append(pk)
        columns.stories.append(story)
        columns.sources.append(source)
        columns.copies.append(original or 0)
        columns.topics.append(kinds.setdefault(topics, len(kinds)))
        columns.places.setdefault(source, array("i")).append(n)
    columns.kinds.extend(json.loads(text) for text in kinds)
    return columns


def _empty(upto: int) -> Columns:
    return Columns(upto, array("q"), array("q"), array("q"), array("q"), array("i"), [], {})


def _rows(items: ItemQuerySet) -> Iterator[Any]:
    """In steps, as the memory of a web process is small; topics as text, few of which differ."""
    last = 1 << 62
    while True:
        chunk = list(
            items.filter(pk__lt=last)
            .newest_first()
            .values_list("id", "story_id", "source_id", "copy_of", Cast("topics", TextField()))[
                :CHUNK
            ]
        )
        yield from chunk
        if len(chunk) < CHUNK:
            return
        last = chunk[-1][0]
