# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""A reader's taste, learned from what they opened, saved and hid."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Count

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.models import Impression
from feeds.models.narrow import fetch, loaded, marks, moment, stored
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
"""Readers whose newest rows one query reads. SQLite limits the parts of a query to 500."""
_STATES = (
    "SELECT user_id, item_id, told_at, is_opened, is_saved, is_hidden, is_disliked"
    " FROM feeds_itemstate WHERE user_id = %s AND told_at >= %s"
    f" ORDER BY told_at DESC, item_id DESC LIMIT {MAX_LEARNED}"
)
_VIEWS = (
    "SELECT user_id, at, leads FROM feeds_impression WHERE user_id = %s AND at >= %s"
    f" ORDER BY at DESC LIMIT {MAX_VIEWS}"
)
_FOLLOWED = "SELECT user_id, story_id FROM feeds_followedstory WHERE user_id IN ({})"


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
    `followed` are the stories that they follow.
    """

    acts: list[Act]
    shown: dict[int, int]
    followed: frozenset[int]

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


def taste_of(user: User, now: datetime) -> Taste:
    """Return a reader's taste. It is cached until they act; otherwise this makes five queries."""
    made = cached(
        f"taste-{user.pk}",
        lambda: _learn(user, now),
        fresh=FRESH,
        validator=user.version,
        claim=False,
    )
    acts, shown, followed = made
    return Taste([Act(*row) for row in acts], shown, frozenset(followed))


def _learn(user: User, now: datetime) -> tuple[list[tuple[Any, ...]], dict[int, int], list[int]]:
    """The taste as plain values, which a cache can store."""
    taste = tastes_of([user.pk], now)[user.pk]
    return [tuple(act) for act in taste.acts], taste.shown, list(taste.followed)


def tastes_of(readers: Collection[int], now: datetime) -> dict[int, Taste]:
    """{reader: their taste} of many readers, by a few queries for every fifty. It is not cached."""
    states = _newest(_STATES, dict.fromkeys(readers, now - MAX_AGE))
    sources = cached_sources_of([item for rows in states.values() for item, *_ in rows])
    acts = {reader: acts_of(states.get(reader, ()), sources) for reader in readers}
    shown = _shown_since(
        {reader: min(act.at for act in own) for reader, own in acts.items() if own}
    )
    followed: defaultdict[int, set[int]] = defaultdict(set)
    if readers:
        for reader, story in fetch(_FOLLOWED.format(marks(readers)), list(readers)):
            followed[reader].add(story)
    return {
        reader: Taste(acts[reader], shown.get(reader, {}), frozenset(followed[reader]))
        for reader in readers
    }


def _shown_since(firsts: Mapping[int, float]) -> dict[int, dict[int, int]]:
    """{reader: {item: source}} of what they were shown since their first act."""
    # The page that was acted on came before the act.
    day = timedelta(days=1)
    since = {reader: datetime.fromtimestamp(at, UTC) - day for reader, at in firsts.items()}
    leads = {
        reader: list(
            islice(dict.fromkeys(lead for _, ids in views for lead in loaded(ids)), MAX_SHOWN)
        )
        for reader, views in _newest(_VIEWS, since).items()
    }
    sources = cached_sources_of([lead for own in leads.values() for lead in own])
    return {
        reader: {lead: sources[lead] for lead in own if lead in sources}
        for reader, own in leads.items()
    }


def _newest(query: str, since: Mapping[int, datetime]) -> dict[int, list[tuple[Any, ...]]]:
    """{reader: their rows without the reader, newest first} of a query that selects the newest
    rows of one reader since a moment."""
    newest: defaultdict[int, list[tuple[Any, ...]]] = defaultdict(list)
    waiting = list(since.items())
    for start in range(0, len(waiting), AT_ONCE):
        part = waiting[start : start + AT_ONCE]
        # SQLite allows ORDER BY in a part of a query only if that is a query of its own.
        parts = " UNION ALL ".join([f"SELECT * FROM ({query}) AS part"] * len(part))
        for reader, *row in fetch(parts, [v for pk, at in part for v in (pk, stored(at))]):
            newest[reader].append(tuple(row))
    return newest


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
    return _newest(_STATES, {user.pk: now - MAX_AGE}).get(user.pk, [])


def acts_of(states: Iterable[tuple[Any, ...]], sources: Mapping[int, int]) -> list[Act]:
    """The acts on items with a source in {item: source}."""
    return [
        Act(item, sources[item], moment(at).timestamp(), weigh(*map(bool, flags)))
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
