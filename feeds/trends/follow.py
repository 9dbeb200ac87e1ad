"""Follow a term, and be told once when it bursts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from django.db import transaction
from django.db.models import Q

from accounts.models import User
from ainews_site.infra.timezones import zone_named
from feeds.coordination.announce import announce_news
from feeds.core.topics import LABELS
from feeds.models import Item, StoryRedirect, TrendAlert, TrendFollow
from feeds.trends.alerts import SHOWN
from feeds.trends.collapse import Rise
from feeds.trends.find import WEEK
from feeds.trends.tallies import Seen
from feeds.trends.terms import TOPIC, key_of

MAX_FOLLOWED = 100
PAUSE = timedelta(days=3)
"""A burst that was not seen for so long is over; the next one is told of again."""
MORNING, NIGHT = time(8), time(22)
KEPT = timedelta(days=30)


class FollowError(Exception):
    """In words, for the reader."""


def written(text: str) -> str:
    """What a reader wrote, on one line, as a database can be asked for it: none takes half of
    a surrogate pair, which JSON can bring, and PostgreSQL no NUL."""
    return " ".join(text.encode("utf-8", "ignore").decode().replace("\0", " ").split())


def term_of(text: str) -> str:
    """The key of what a reader wrote: a curated topic's "#slug" or name, or a term; "" for
    neither. What is a key already stays: "mistral" is the word, "Mistral" the topic."""
    text = written(text)
    if text.startswith(TOPIC):
        return text if text.removeprefix(TOPIC) in LABELS else ""
    key = key_of(text)
    topics = {label.casefold(): TOPIC + slug for slug, label in LABELS.items()}
    return key if key == text else topics.get(text.casefold(), key)


@transaction.atomic
def follow(user: User, text: str, label: str = "") -> TrendFollow:
    """Follow the term of `text`, called `label` if that is another way to write it.

    Raises FollowError when the text is no term, or they follow too many already.
    """
    term = term_of(text)
    if not term:
        raise FollowError(
            "This can't be followed. Enter a name or phrase of one to four words, such as"
            " “Mistral” or “context window”, not common words such as “the” or “new”."
        )
    if TrendFollow.objects.filter(user=user).exclude(term=term).count() >= MAX_FOLLOWED:
        raise FollowError(
            f"You already follow {MAX_FOLLOWED} topics, the maximum. Stop following one first."
        )
    named = LABELS.get(term.removeprefix(TOPIC)) if term.startswith(TOPIC) else None
    shown = named or written(label if key_of(label) == term else text)
    followed, is_new = TrendFollow.objects.get_or_create(
        user=user, term=term, defaults={"label": shown[:100]}
    )
    if is_new:
        user.bump_cache_version()
    return followed


@transaction.atomic
def unfollow(user: User, term: str) -> None:
    TrendFollow.objects.filter(user=user, term=written(term)).delete()
    user.bump_cache_version()


def alert(seen: Seen, rises: Iterable[Rise], users: Sequence[int | None], now: datetime) -> int:
    """Tell those of this audience who follow a term that bursts; how many alerts are new.
    Users who follow public sources alone are those that `users` has None for."""
    bursts = {rise.key: rise for rise in rises if rise.is_burst}
    follows = TrendFollow.objects.filter(_of(users), term__in=list(bursts), user__is_active=True)
    told = 0
    for one in follows.select_related("user"):
        told += _tell(one, _burst(seen, bursts[one.term]), now)
    if told:
        announce_news()
    return told


def _of(users: Sequence[int | None]) -> Q:
    chosen = Q(user__in=[pk for pk in users if pk])
    if None in users:
        chosen |= ~Q(user__subscriptions__source__is_public=False)
    return chosen


@dataclass(frozen=True, slots=True)
class _Burst:
    today: date
    explanation: str
    story: int


def _burst(seen: Seen, rise: Rise) -> _Burst:
    told = seen.stories(seen.tallies.place(rise.key), WEEK[-2])
    sources = set().union(*told.values())
    lead = max(told, key=lambda story: (len(told[story]), story))
    usual = rise.expected.mean * 2 / 7
    words = f"usually {usual:.0f}" if usual >= 0.5 else "usually none"
    text = f"{len(told)} stories from {len(sources)} sources in two days, {words}"
    return _Burst(seen.tallies.today, text, lead)


@transaction.atomic
def _tell(one: TrendFollow, burst: _Burst, now: datetime) -> bool:
    """Whether it is told of for the first time."""
    mine = TrendAlert.objects.filter(user=one.user, term=one.term)
    going_on = mine.filter(until__gte=burst.today - PAUSE)
    if going_on.update(until=burst.today):
        return False
    TrendAlert.objects.create(
        user=one.user,
        term=one.term,
        label=one.label,
        began=burst.today,
        until=burst.today,
        explanation=burst.explanation,
        story_id=burst.story,
        made_at=now,
        due_at=due(now, one.user.time_zone),
    )
    one.user.bump_cache_version()
    return True


def due(now: datetime, zone_name: str) -> datetime:
    """Now, or at eight in the morning where it is night for the reader."""
    zone = zone_named(zone_name)
    local = now.astimezone(zone)
    if MORNING <= local.time() < NIGHT:
        return now
    day = local.date() + timedelta(days=local.time() >= NIGHT)
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def alerts_for(user: User, now: datetime) -> list[TrendAlert]:
    """What the reader has not dismissed, the newest first, with a story that is still there and
    theirs to see. Who looks is awake: those of the night are among them."""
    alerts = list(TrendAlert.objects.filter(user=user, seen_at=None, made_at__gt=now - SHOWN))
    moved = dict(
        StoryRedirect.objects.filter(old_id__in=[one.story_id for one in alerts]).values_list(
            "old_id", "story_id"
        )
    )
    for one in alerts:
        one.story_id = moved.get(one.story_id, one.story_id)
    stories = [one.story_id for one in alerts]
    seen = Item.objects.visible_to(user).filter(story__in=stories).order_by()
    known = set(seen.values_list("story_id", flat=True))
    return [one for one in alerts if one.story_id in known]


@transaction.atomic
def dismiss(user: User, now: datetime) -> None:
    """The reader has seen all their alerts."""
    TrendAlert.objects.filter(user=user, seen_at=None).update(seen_at=now)
    user.bump_cache_version()


def forget_alerts(now: datetime) -> None:
    TrendAlert.objects.filter(made_at__lt=now - KEPT).delete()
