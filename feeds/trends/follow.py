"""Followed terms, and the alerts when they burst."""

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
from feeds.trends.alerts import SHOWN_FOR
from feeds.trends.collapse import Rise
from feeds.trends.find import WEEK
from feeds.trends.tallies import Visible
from feeds.trends.terms import TOPIC, key_of

MAX_FOLLOWED = 100
BURST_PAUSE = timedelta(days=3)
"""Days without a burst after which the next burst makes a new alert."""
MORNING, NIGHT = time(8), time(22)
KEPT = timedelta(days=30)


class FollowError(Exception):
    """The term cannot be followed. `str()` is a message for the reader."""


def clean_text(text: str) -> str:
    """Return the reader's text on one line, without lone surrogates and NUL, which databases do
    not accept."""
    return " ".join(text.encode("utf-8", "ignore").decode().replace("\0", " ").split())


def term_of(text: str) -> str:
    """Return the key of what a reader entered: a term, or the "#slug" or name of a curated topic.

    Returns "" if it is neither. Text that is a key already is not changed: "mistral" is the term,
    "Mistral" the topic.
    """
    text = clean_text(text)
    if text.startswith(TOPIC):
        return text if text.removeprefix(TOPIC) in LABELS else ""
    key = key_of(text)
    topics = {label.casefold(): TOPIC + slug for slug, label in LABELS.items()}
    return key if key == text else topics.get(text.casefold(), key)


@transaction.atomic
def follow(user: User, text: str, label: str = "") -> TrendFollow:
    """Follow the term in `text`. `label` is its display name, if it is a form of the same term.

    Raises FollowError if the text is not a term or the reader follows too many.
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
    shown = named or clean_text(label if key_of(label) == term else text)
    followed, is_new = TrendFollow.objects.get_or_create(
        user=user, term=term, defaults={"label": shown[:100]}
    )
    if is_new:
        user.bump_cache_version()
    return followed


@transaction.atomic
def unfollow(user: User, term: str) -> None:
    TrendFollow.objects.filter(user=user, term=clean_text(term)).delete()
    user.bump_cache_version()


def create_alerts(
    visible: Visible, rises: Iterable[Rise], users: Sequence[int | None], now: datetime
) -> int:
    """Create alerts for the users of an audience who follow a bursting term. Return how many.

    None in `users` stands for all users who follow only public sources.
    """
    bursts = {rise.key: rise for rise in rises if rise.is_burst}
    follows = TrendFollow.objects.filter(
        _users_in(users), term__in=list(bursts), user__is_active=True
    )
    count = 0
    for followed in follows.select_related("user"):
        count += _create_alert(followed, _burst(visible, bursts[followed.term]), now)
    if count:
        announce_news()
    return count


def _users_in(users: Sequence[int | None]) -> Q:
    chosen = Q(user__in=[pk for pk in users if pk])
    if None in users:
        chosen |= ~Q(user__subscriptions__source__is_public=False)
    return chosen


@dataclass(frozen=True, slots=True)
class _Burst:
    today: date
    explanation: str
    story: int


def _burst(visible: Visible, rise: Rise) -> _Burst:
    stories = visible.stories(visible.tallies.place(rise.key), WEEK[-2])
    sources = set().union(*stories.values())
    lead = max(stories, key=lambda story: (len(stories[story]), story))
    usual = rise.expected.mean * 2 / 7
    words = f"usually {usual:.0f}" if usual >= 0.5 else "usually none"
    text = f"{len(stories)} stories from {len(sources)} sources in two days, {words}"
    return _Burst(visible.tallies.today, text, lead)


@transaction.atomic
def _create_alert(followed: TrendFollow, burst: _Burst, now: datetime) -> bool:
    """Create an alert, or extend that of a burst that continues. Return whether it is new."""
    mine = TrendAlert.objects.filter(user=followed.user, term=followed.term)
    continuing = mine.filter(until__gte=burst.today - BURST_PAUSE)
    if continuing.update(until=burst.today):
        return False
    TrendAlert.objects.create(
        user=followed.user,
        term=followed.term,
        label=followed.label,
        began=burst.today,
        until=burst.today,
        explanation=burst.explanation,
        story_id=burst.story,
        made_at=now,
        due_at=due(now, followed.user.time_zone),
    )
    followed.user.bump_cache_version()
    return True


def due(now: datetime, zone_name: str) -> datetime:
    """When to send an alert: now, or at MORNING if it is night for the reader."""
    zone = zone_named(zone_name)
    local = now.astimezone(zone)
    if MORNING <= local.time() < NIGHT:
        return now
    day = local.date() + timedelta(days=local.time() >= NIGHT)
    return datetime.combine(day, MORNING, zone).astimezone(UTC)


def alerts_for(user: User, now: datetime) -> list[TrendAlert]:
    """The alerts that the reader has not dismissed, newest first, if their story is still
    visible. Includes alerts that are not due yet, because the reader is awake."""
    alerts = list(TrendAlert.objects.filter(user=user, seen_at=None, made_at__gt=now - SHOWN_FOR))
    moved = dict(
        StoryRedirect.objects.filter(old_id__in=[a.story_id for a in alerts]).values_list(
            "old_id", "story_id"
        )
    )
    for shown in alerts:
        shown.story_id = moved.get(shown.story_id, shown.story_id)
    stories = [shown.story_id for shown in alerts]
    items = Item.objects.visible_to(user).filter(story__in=stories).order_by()
    visible = set(items.values_list("story_id", flat=True))
    return [shown for shown in alerts if shown.story_id in visible]


@transaction.atomic
def dismiss(user: User, now: datetime) -> None:
    """Mark all alerts of a reader as seen."""
    TrendAlert.objects.filter(user=user, seen_at=None).update(seen_at=now)
    user.bump_cache_version()


def delete_old_alerts(now: datetime) -> None:
    TrendAlert.objects.filter(made_at__lt=now - KEPT).delete()
