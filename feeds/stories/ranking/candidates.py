"""What may be ranked: the articles of the last days, read once for all readers.

They are kept in columns, 4.5 MB at 110,000 of them, as rows would take longer to unpack than
the query that they spare. What each reader gets is exact all the same: what came since, or had
no story then, is asked for and is little; what changes a telling that was kept changes the
revision that it was kept under. A list for each reader would seldom be asked for twice.
"""

import json
from array import array
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db.models import Min, TextField
from django.db.models.functions import Cast

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.coordination.revisions import News, news_for
from feeds.core.ids import lowest_id
from feeds.models import Item, ItemState
from feeds.models.item import ItemQuerySet

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints = NDArray[np.int64]

SHOWN_DAYS = 7
MOST_ITEMS = 3_000
"""Of one reader, the newest."""
MOST_KEPT = 250_000
"""With more than that in those days, each reader's are asked for."""
FRESH = 600
"""Seconds, after which what came since is no longer little."""
CHUNK = 20_000
MUCH = 20
"""Of the articles, the part from which on a reader has much."""


class Articles(NamedTuple):
    """The little of items that ranking needs, as most of what is ranked is not shown: arrays of
    int64 with a line each, the newest first. In `copies` 0 is no original; `kinds` are places
    in `names`, each a list of topics."""

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
        """Of much the newest are found by going through, of little by putting it together."""
        import numpy as np

        own = [self.places[source] for source in sources if source in self.places]
        if sum(map(len, own)) > len(self.ids) / MUCH:
            wanted = np.isin(np.asarray(self.sources), list(sources), kind="table")
            return np.flatnonzero(wanted)
        parts = [np.asarray(part, np.int64) for part in own]
        return np.sort(np.concatenate(parts)) if parts else np.empty(0, np.int64)


def recent_articles(user: User, sources: Collection[int], now: datetime) -> Articles:
    """Those of `sources` that the reader did not hide, the newest first."""
    since = now - timedelta(days=SHOWN_DAYS)
    lowest = lowest_id(since)
    news = news_for(user)
    kept = _shared(since, news)
    hidden = _hidden(user, lowest)
    fresh: list[Any] = []
    if news.seq > kept.upto:
        fresh = list(_ask(sources, lowest, kept.upto)[: MOST_ITEMS + len(hidden)])
    return _put_together(kept, kept.lines(sources), fresh, lowest, hidden)


def _put_together(
    kept: Columns, lines: "Ints", fresh: Sequence[Any], lowest: int, hidden: Collection[int]
) -> Articles:
    """The kept lines and the fresh rows, without what is hidden or older than `lowest`."""
    import numpy as np

    names = [*kept.kinds, *(row[-1] for row in fresh)]
    new = np.array(
        [(*row[:3], row[3] or 0, n) for n, row in enumerate(fresh, len(kept.kinds))], np.int64
    ).reshape(-1, 5)
    parts = []
    for column, values in enumerate((kept.ids, kept.stories, kept.sources, kept.copies)):
        parts.append(np.concatenate([new[:, column], np.asarray(values, np.int64)[lines]]))
    parts.append(np.concatenate([new[:, 4], np.asarray(kept.topics, np.int64)[lines]]))
    _settle_copies(parts[0], parts[3])
    shown = parts[0] >= lowest
    if hidden:
        shown &= ~np.isin(parts[0], list(hidden))
    order = np.flatnonzero(shown)
    if fresh:
        order = order[np.argsort(-parts[0][order])]
    ids, stories, sources, copies, kinds = (part[order[:MOST_ITEMS]] for part in parts)
    return Articles(ids, stories, sources, copies, kinds, names)


def _settle_copies(ids: "Ints", copies: "Ints") -> None:
    """The first copy of what is not among the reader's articles is the original to them."""
    import numpy as np

    places = np.flatnonzero((copies != 0) & ~np.isin(copies, ids))
    places = places[np.argsort(ids[places])]
    _, firsts = np.unique(copies[places], return_index=True)
    copies[places[firsts]] = 0


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
    return cached(
        f"candidates-{day:%Y%m%d}",
        lambda: _read(lowest_id(day), news.seq),
        fresh=FRESH,
        validator=news.grouping,
        local_for=FRESH,
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
