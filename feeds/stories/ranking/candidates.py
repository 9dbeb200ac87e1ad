# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The items that may be ranked: those of the last days, cached once for all readers.

They are cached in columns (4.5 MB for 110,000 items), because rows would take longer to unpickle
than the query takes. The result for a reader is exact nevertheless: newer items, and items that
had no story when the cache was filled, are queried, and they are few. A change of a cached item
bumps the revision that the cache entry depends on. A list per reader would rarely be used twice.

A web process fills the cache in a thread. Until that is done, the items of the reader are queried,
so no page waits for the items of all readers.
"""

import json
from array import array
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Min, TextField
from django.db.models.functions import Cast

from ainews_site.infra.memo import cached_in_background
from feeds.coordination.revisions import News
from feeds.core.ids import lowest_id
from feeds.models import Item
from feeds.models.item import ItemQuerySet
from feeds.models.narrow import among, fetch, loaded

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

SHOWN_DAYS = 7
MAX_ITEMS = 3_000
"""The newest items of one reader that are ranked."""
MAX_KEPT = 250_000
"""If there are more items, nothing is cached and each reader's items are queried."""
FRESH = 600
"""Seconds after which the cache is filled again, so that few items must be queried."""
CHUNK = 20_000
"""Items that are read at a time."""
MUCH = 20
"""A reader whose sources have more than 1/20 of all items is served by a scan of the columns."""


class Articles(NamedTuple):
    """The columns of items that ranking needs, in arrays of int64, newest first.

    `copies` are the ids of originals, 0 for none. `kinds` are indices of `names`, the distinct
    lists of topics.
    """

    ids: "Ints"
    stories: "Ints"
    sources: "Ints"
    copies: "Ints"
    kinds: "Ints"
    names: list[list[str]]


class Columns(NamedTuple):
    """Articles, the newest first, that had arrived by `upto`. `topics` are numbers of `kinds`;
    in `copies` 0 is no original; `places` are the lines of each source."""

    upto: int
    ids: "array[int]"
    stories: "array[int]"
    sources: "array[int]"
    copies: "array[int]"
    topics: "array[int]"
    kinds: list[list[str]]
    places: "dict[int, array[int]]"

    def lines(self, sources: Collection[int]) -> "Ints":
        """The places of the items of `sources`, in order. Scans the columns for large parts, and
        merges the lists of the sources for small ones."""
        import numpy as np

        own = [self.places[source] for source in sources if source in self.places]
        if sum(map(len, own)) > len(self.ids) / MUCH:
            wanted = np.isin(np.asarray(self.sources), list(sources), kind="table")
            return np.flatnonzero(wanted)
        parts = [np.asarray(part, np.int64) for part in own]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def recent_articles(
    sources: Collection[int], hidden: Collection[int], now: datetime, news: News
) -> Articles:
    """Those of `sources` without `hidden` ones, the newest first. `news` is the state that was
    current before the hidden ones were read."""
    since = now - timedelta(days=SHOWN_DAYS)
    lowest = lowest_id(since)
    cached_columns = _shared(since, news)
    fresh: list[Any] = []
    if news.seq > cached_columns.upto:
        fresh = _ask(sources, lowest, cached_columns.upto, MAX_ITEMS + len(hidden))
    return _put_together(cached_columns, cached_columns.lines(sources), fresh, lowest, hidden)


def _put_together(
    cached_columns: Columns,
    lines: "Ints",
    fresh: Sequence[Any],
    lowest: int,
    hidden: Collection[int],
) -> Articles:
    """Merge cached places and queried rows, without items hidden or older than `lowest`."""
    import numpy as np

    names = [*cached_columns.kinds, *(row[-1] for row in fresh)]
    new = np.array(
        [(*row[:3], row[3] or 0, n) for n, row in enumerate(fresh, len(cached_columns.kinds))],
        np.int64,
    ).reshape(-1, 5)
    parts = []
    for column, values in enumerate(
        (cached_columns.ids, cached_columns.stories, cached_columns.sources, cached_columns.copies)
    ):
        parts.append(np.concatenate([new[:, column], np.asarray(values, np.int64)[lines]]))
    parts.append(np.concatenate([new[:, 4], np.asarray(cached_columns.topics, np.int64)[lines]]))
    _settle_copies(parts[0], parts[3])
    shown = parts[0] >= lowest
    if hidden:
        shown &= ~np.isin(parts[0], list(hidden))
    order = np.flatnonzero(shown)
    if fresh:
        order = order[np.argsort(-parts[0][order])]
    ids, stories, sources, copies, kinds = (part[order[:MAX_ITEMS]] for part in parts)
    return Articles(ids, stories, sources, copies, kinds, names)


def _settle_copies(ids: "Ints", copies: "Ints") -> None:
    """Promote the first copy of each original that the reader does not see, in place."""
    import numpy as np

    places = np.flatnonzero(copies)
    ordered, originals = np.sort(ids), copies[places]
    found = ordered[np.minimum(np.searchsorted(ordered, originals), len(ordered) - 1)]
    places = places[found != originals]
    places = places[np.argsort(ids[places])]
    _, firsts = np.unique(copies[places], return_index=True)
    copies[places[firsts]] = 0


def _ask(sources: Collection[int], lowest: int, beyond: int, most: int) -> list[Any]:
    """The newest items with a ledger number above `beyond`."""
    is_own, values = among("source_id", sources)
    rows = fetch(
        "SELECT id, story_id, source_id, copy_of, topics FROM feeds_item"
        f" WHERE {is_own} AND seq > %s AND id >= %s"
        " AND story_id IS NOT NULL ORDER BY id DESC LIMIT %s",
        [*values, beyond, lowest, most],
    )
    return [(*row, loaded(topics)) for *row, topics in rows]


def _shared(since: datetime, news: News) -> Columns:
    """The cached columns. They start at the beginning of a day, so that readers share them."""
    day = since.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    columns = cached_in_background(
        f"candidates-{day:%Y%m%d}",
        lambda: _read(lowest_id(day), news.seq),
        fresh=FRESH,
        validator=news.grouping,
        local_for=FRESH,
    )
    return columns or _empty(0)


def _read(lowest: int, newest: int) -> Columns:
    """Read the columns; empty ones if there are too many items to cache."""
    recent = Item.objects.filter(pk__gte=lowest)
    waiting = recent.filter(story=None).aggregate(first=Min("seq"))["first"]
    columns = _empty(min(newest, waiting - 1) if waiting else newest)
    kinds: dict[str, int] = {}
    items = recent.filter(seq__lte=columns.upto, story__isnull=False)
    for n, (pk, story, source, original, topics) in enumerate(_rows(items)):
        if n == MAX_KEPT:
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
    """Read rows in chunks, to save memory. Topics are read as JSON text, which repeats often."""
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
