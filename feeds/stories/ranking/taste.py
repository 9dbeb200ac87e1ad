# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""A reader's taste, learned from what they opened, saved and hid."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Count

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.core.ids import lowest_id
from feeds.models import Impression
from feeds.models.narrow import fetch, json_rows, loaded, moment, stored, stored_json
from feeds.stories.ranking.candidates import SHOWN_DAYS
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.item_sources import cached_sources_of

MAX_LEARNED = 200
"""The newest acts, including openings, that are used."""
MAX_VIEWS, MAX_SHOWN = 200, 1_000
"""The newest page views, and the distinct items on them, that are used to find what the reader did
not open."""
MAX_AGE = timedelta(days=90)
HALF_LIFE = timedelta(days=30)
OPENED, SAVED, HIDDEN, DISLIKED = 1.0, 2.0, 1.0, 2.0
"""Weights of acts. Saving implies opening, and "less like this" implies hiding."""
FRESH = 3600
AT_ONCE = 50
"""Readers of whom one query reads. SQLite limits the parts of a query to 500."""
HIDDEN_SINCE = timedelta(days=SHOWN_DAYS + 1)
"""How long ago the items of `Taste.hidden` were published at most: those that are ranked, while
the taste is cached."""
_STATE_COLUMNS = ("item_id", "told_at", "is_opened", "is_saved", "is_hidden", "is_disliked")
_STATES = (
    f"SELECT {', '.join(_STATE_COLUMNS)} FROM feeds_itemstate"
    " WHERE user_id = %s AND told_at >= %s"
    f" ORDER BY told_at DESC, item_id DESC LIMIT {MAX_LEARNED}"
)
_VIEWS = (
    "SELECT at, leads FROM feeds_impression WHERE user_id = %s AND at >= %s ORDER BY at DESC"
    f" LIMIT {MAX_VIEWS}"
)
_FOLLOWED = "SELECT story_id FROM feeds_followedstory WHERE user_id = %s"
_HIDDEN = "SELECT item_id FROM feeds_itemstate WHERE user_id = %s AND is_hidden AND item_id >= %s"


class Act(NamedTuple):
    """What a reader did with an item, at `at` in seconds since 1970. `weight` is negative if they
    hid or disliked it."""

    item: int
    source: int
    at: float
    weight: float


class Taste(NamedTuple):
    """What was learned of a reader.

    `shown` is {item: source} of the lead items that they were shown since the first of the acts;
    `followed` are the stories that they follow, `hidden` the items of the last days that they hid.
    """

    acts: list[Act]
    shown: dict[int, int]
    followed: frozenset[int]
    hidden: frozenset[int] = frozenset()

    @property
    def views(self) -> Counter[int]:
        """The number of shown items of each source."""
        return Counter(self.shown.values())

    def weights(self, moment: float) -> list[float]:
        """The weight of each act at `moment`: it halves every 30 days."""
        half_life = HALF_LIFE.total_seconds()
        return [act.weight * 2 ** (-max(0.0, moment - act.at) / half_life) for act in self.acts]

    def reader(self, interests: Mapping[str, str], levels: Mapping[int, str]) -> Reader:
        """The Reader for ranking, with their declared interests and levels of sources."""
        opened = Counter(act.source for act in self.acts if act.weight > 0)
        return Reader(interests, levels, self.followed, self.views, opened, len(self.acts))


def taste_of(user: User, now: datetime, version: int | None = None) -> Taste:
    """Return a reader's taste. It is cached until they act; otherwise this makes two queries.

    `version` is their cache version, if it was read later than `user`.
    """
    acts, shown, followed, hidden = cached(
        f"reader-taste-{user.pk}",
        lambda: _learn(user, now),
        fresh=FRESH,
        validator=user.version if version is None else version,
        claim=False,
    )
    return Taste([Act(*row) for row in acts], shown, frozenset(followed), frozenset(hidden))


def _learn(
    user: User, now: datetime
) -> tuple[list[tuple[Any, ...]], dict[int, int], list[int], list[int]]:
    """The taste as plain values, which a cache can store."""
    taste = tastes_of([user.pk], now)[user.pk]
    acts = [tuple(act) for act in taste.acts]
    return acts, taste.shown, list(taste.followed), list(taste.hidden)


def tastes_of(readers: Collection[int], now: datetime) -> dict[int, Taste]:
    """{reader: their taste} of many readers, by two queries for every fifty. It is not cached."""
    rows = _read(readers, now)
    leads = {reader: _leads_since(*lists[:2]) for reader, lists in rows.items()}
    acted = [item for states, *_ in rows.values() for item, *_ in states]
    sources = cached_sources_of([*acted, *(lead for own in leads.values() for lead in own)])
    tastes: dict[int, Taste] = {}
    for reader, (states, _, followed, hidden) in rows.items():
        acts = acts_of(states, sources)
        shown = {lead: sources[lead] for lead in leads[reader] if acts and lead in sources}
        stories, items = (frozenset(pk for (pk,) in pks) for pks in (followed, hidden))
        tastes[reader] = Taste(acts, shown, stories, items)
    return tastes


def _read(readers: Collection[int], now: datetime) -> dict[int, list[Any]]:
    """{reader: their newest states and page views, the followed stories and the hidden items}"""
    columns = (
        json_rows(_STATE_COLUMNS, _STATES),
        json_rows(("at", stored_json("leads")), _VIEWS),
        json_rows(("story_id",), _FOLLOWED),
        json_rows(("item_id",), _HIDDEN),
    )
    query = f"SELECT %s, {', '.join(columns)}"
    oldest, lowest = stored(now - MAX_AGE), lowest_id(now - HIDDEN_SINCE)
    lists: dict[int, list[Any]] = {}
    for start in range(0, len(readers), AT_ONCE):
        part = list(readers)[start : start + AT_ONCE]
        values = [v for pk in part for v in (pk, pk, oldest, pk, oldest, pk, pk, lowest)]
        for reader, *row in fetch(" UNION ALL ".join([query] * len(part)), values):
            lists[reader] = [loaded(column) or [] for column in row]
    return lists


def _leads_since(states: Iterable[Sequence[Any]], views: Iterable[Sequence[Any]]) -> list[int]:
    """The newest leads on the pages since the first act."""
    moments = [_seconds(at) for _, at, *flags in states if any(flags)]
    if not moments:
        return []
    # The page that was acted on came before the act.
    since = min(moments) - timedelta(days=1).total_seconds()
    leads = dict.fromkeys(lead for at, ids in views if _seconds(at) >= since for lead in ids)
    return list(islice(leads, MAX_SHOWN))


def _seconds(at: Any) -> float:
    """A stored time in seconds since 1970."""
    seconds: float = moment(at).timestamp()
    return seconds


def drop_old_views(now: datetime) -> None:
    """Delete page views that are too old, or not among the newest that are used."""
    Impression.objects.filter(at__lt=now - MAX_AGE).delete()
    many = Impression.objects.values("user").annotate(rows=Count("pk")).filter(rows__gt=MAX_VIEWS)
    for row in many:
        own = Impression.objects.filter(user=row["user"])
        oldest = own.order_by("-at").values_list("at", flat=True)[MAX_VIEWS - 1]
        own.filter(at__lt=oldest).delete()


def read_states(user: User, now: datetime) -> list[tuple[Any, ...]]:
    """[(item, when it was marked, the flags that `weigh` takes)] of a reader, newest first.

    The items are read by their ids in a query of its own, because PostgreSQL plans a join for all
    partitions.
    """
    return fetch(_STATES, [user.pk, stored(now - MAX_AGE)])


def acts_of(states: Iterable[tuple[Any, ...]], sources: Mapping[int, int]) -> list[Act]:
    """The acts on items with a source in {item: source}."""
    return [
        Act(item, sources[item], _seconds(at), weigh(*map(bool, flags)))
        for item, at, *flags in states
        if any(flags) and item in sources
    ]


def weigh(is_opened: bool, is_saved: bool, is_hidden: bool, is_disliked: bool) -> float:
    """The weight of a reader's marks on one item. Opened and then hidden means disliked."""
    if is_disliked:
        return -DISLIKED
    if is_saved:
        return SAVED
    if is_hidden:
        return -HIDDEN
    return OPENED if is_opened else 0.0
