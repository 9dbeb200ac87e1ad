# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""A reader's taste, learned from what they opened, saved and hid."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Count

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.models import Impression
from feeds.models.narrow import fetch, loaded, moment, stored
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.item_sources import cached_sources_of, sources_of

Sources = Callable[[Sequence[int]], dict[int, int]]

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
_STATES = (
    "SELECT item_id, told_at, is_opened, is_saved, is_hidden, is_disliked FROM feeds_itemstate"
    " WHERE user_id = %s AND told_at >= %s ORDER BY told_at DESC, item_id DESC LIMIT %s"
)


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
    acts = read_acts(user, now, cached_sources_of)
    shown = _shown_since(user, min(act.at for act in acts)) if acts else {}
    followed = fetch("SELECT story_id FROM feeds_followedstory WHERE user_id = %s", [user.pk])
    return [tuple(act) for act in acts], shown, [story for (story,) in followed]


def _shown_since(user: User, at: float) -> dict[int, int]:
    # The page that was acted on came before the act.
    since = datetime.fromtimestamp(at, UTC) - timedelta(days=1)
    views = fetch(
        "SELECT leads FROM feeds_impression WHERE user_id = %s AND at >= %s ORDER BY at DESC"
        f" LIMIT {MAX_VIEWS}",
        [user.pk, stored(since)],
    )
    leads = dict.fromkeys(lead for (ids,) in views for lead in loaded(ids))
    return cached_sources_of(list(islice(leads, MAX_SHOWN)))


def drop_old_views(now: datetime) -> None:
    """Delete page views that are too old, or not among the newest that are used."""
    Impression.objects.filter(at__lt=now - MAX_AGE).delete()
    many = Impression.objects.values("user").annotate(rows=Count("pk")).filter(rows__gt=MAX_VIEWS)
    for row in many:
        own = Impression.objects.filter(user=row["user"])
        oldest = own.order_by("-at").values_list("at", flat=True)[MAX_VIEWS - 1]
        own.filter(at__lt=oldest).delete()


def read_acts(user: User, now: datetime, sources: Sources = sources_of) -> list[Act]:
    """Read the acts of a reader, newest first. `sources` returns the sources of items."""
    states = read_states(user, now)
    return acts_of(states, sources([item for item, *_ in states]))


def read_states(user: User, now: datetime) -> list[tuple[Any, ...]]:
    """[(item, when it was marked, the flags that `weigh` takes)] of a reader, newest first.

    The items are read by their ids in a query of its own, because PostgreSQL plans a join for all
    partitions.
    """
    return fetch(_STATES, [user.pk, stored(now - MAX_AGE), MAX_LEARNED])


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
