"""What a reader's own acts say of their taste, as plain numbers that ranking can use."""

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any, NamedTuple

from django.db.models import Count

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.models import FollowedStory, Impression, Item, ItemState
from feeds.stories.ranking.data.reader import Reader

MOST_LEARNED = 200
"""The newest acts, openings among them, that say what the reader likes."""
MOST_VIEWS, MOST_SHOWN = 200, 1_000
"""The newest pages, and the different items of them, that say what was passed over."""
STALE_FOR = timedelta(days=90)
HALF_LIFE = timedelta(days=30)
OPENED, SAVED, HIDDEN, DISLIKED = 1.0, 2.0, 1.0, 2.0
"""How much an act counts. Saving implies opening, and "less like this" hiding."""
FRESH = 3600


class Act(NamedTuple):
    """Something that the reader told of an item, at `at`, in seconds since 1970; `weight` is
    below 0 for what they do not want."""

    item: int
    source: int
    at: float
    weight: float


class Taste(NamedTuple):
    """`shown` are the newest items that led what was shown since the first of the acts, each
    with its source."""

    acts: list[Act]
    shown: dict[int, int]
    followed: frozenset[int]

    @property
    def views(self) -> Counter[int]:
        """How many items of each source were shown."""
        return Counter(self.shown.values())

    def weights(self, moment: float) -> list[float]:
        """Of each act by `moment`: halved every 30 days."""
        days = HALF_LIFE.total_seconds()
        return [one.weight * 2 ** (-max(0.0, moment - one.at) / days) for one in self.acts]

    def reader(self, interests: Mapping[str, str], levels: Mapping[int, str]) -> Reader:
        opened = Counter(one.source for one in self.acts if one.weight > 0)
        return Reader(interests, levels, self.followed, self.views, opened, len(self.acts))


def taste_of(user: User, now: datetime) -> Taste:
    """Kept until the reader acts: four queries where it is not."""
    made = cached(
        f"taste-{user.pk}", lambda: _learn(user, now), fresh=FRESH, validator=user.version
    )
    acts, shown, followed = made
    return Taste([Act(*one) for one in acts], shown, frozenset(followed))


def _learn(user: User, now: datetime) -> tuple[list[tuple[Any, ...]], dict[int, int], list[int]]:
    acts = read_acts(user, now)
    shown = _shown_since(user, min(one.at for one in acts)) if acts else {}
    followed = FollowedStory.objects.filter(user=user).values_list("story_id", flat=True)
    return [tuple(one) for one in acts], shown, list(followed)


def _shown_since(user: User, at: float) -> dict[int, int]:
    # The page that was acted on came before the act.
    since = datetime.fromtimestamp(at, UTC) - timedelta(days=1)
    views = Impression.objects.filter(user=user, at__gte=since).order_by("-at")[:MOST_VIEWS]
    leads = dict.fromkeys(lead for row in views.values_list("leads", flat=True) for lead in row)
    newest = list(islice(leads, MOST_SHOWN))
    return dict(Item.objects.filter(pk__in=newest).values_list("pk", "source_id"))


def drop_old_views(now: datetime) -> None:
    """Rows that are too old to tell of a taste, and those beyond the newest that are read."""
    Impression.objects.filter(at__lt=now - STALE_FOR).delete()
    many = Impression.objects.values("user").annotate(rows=Count("pk")).filter(rows__gt=MOST_VIEWS)
    for row in many:
        own = Impression.objects.filter(user=row["user"])
        oldest = own.order_by("-at").values_list("at", flat=True)[MOST_VIEWS - 1]
        own.filter(at__lt=oldest).delete()


def read_acts(user: User, now: datetime) -> list[Act]:
    """The newest first."""
    told = ItemState.objects.filter(user=user, told_at__gte=now - STALE_FOR).order_by(
        "-told_at", "-item"
    )
    names = ("is_opened", "is_saved", "is_hidden", "is_disliked")
    rows = told.values_list("item_id", "item__source_id", "told_at", *names)[:MOST_LEARNED]
    return [
        Act(item, source, at.timestamp(), weigh(*flags))
        for item, source, at, *flags in rows
        if any(flags)
    ]


def weigh(is_opened: bool, is_saved: bool, is_hidden: bool, is_disliked: bool) -> float:
    """The worth of what was done with one item; what was opened and then hidden was not liked."""
    if is_disliked:
        return -DISLIKED
    if is_saved:
        return SAVED
    if is_hidden:
        return -HIDDEN
    return OPENED if is_opened else 0.0
