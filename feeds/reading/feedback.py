"""Feedback for the ranking: levels of topics and sources, followed stories, impressions."""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import connection, transaction

from accounts.models import User
from feeds.core.topics import LABELS
from feeds.models import FollowedStory, Impression, ItemState, Story, Subscription
from feeds.models.narrow import json_rows, loaded, stored, stored_json
from feeds.reading.marks import set_state

LEVELS = ("mute", "less", "normal", "more")
LARGEST = (1 << 63) - 1
MAX_SHOWN = 100
"""Stories of one page whose impression is recorded."""
SHOWN_AGAIN = timedelta(days=1)
"""After this time, an impression of the same item is recorded again."""
_RECORD = (
    "INSERT INTO feeds_impression (user_id, at, stories, leads, odd, propensity)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)


@transaction.atomic
def follow_story(user: User, story_id: int, wanted: bool) -> bool:
    """Follow or unfollow a story. Unread followed stories come first on the front page.

    Returns False if the reader cannot see the story. Unfollowing always works.
    """
    stories = Story.objects.visible_to(user).filter(pk=min(story_id, LARGEST))
    if wanted and not stories.exists():
        return False
    if wanted:
        FollowedStory.objects.get_or_create(user=user, story_id=story_id)
    else:
        FollowedStory.objects.filter(user=user, story=min(story_id, LARGEST)).delete()
    user.bump_cache_version()
    return True


@transaction.atomic
def weigh_topic(user: User, topic: str, level: str) -> None:
    """Set the reader's level for a topic: one of LEVELS. Raises ValueError with a message."""
    if topic not in LABELS:
        raise ValueError(f"Unknown topic: {topic[:40]!r}.")
    if level not in LEVELS:
        raise ValueError(f"Must be one of {', '.join(LEVELS)}.")
    locked = User.objects.select_for_update().get(pk=user.pk)
    locked.interests.pop(topic, None)
    if level != "normal":
        locked.interests[topic] = level
    locked.save(update_fields=["interests"])
    user.interests = locked.interests
    user.bump_cache_version()


@transaction.atomic
def weigh_source(user: User, source_id: int, level: str) -> bool:
    """Set the reader's level for a source: one of LEVELS without "mute".

    Returns False if the reader does not follow it. Raises ValueError with a message.
    """
    if level not in LEVELS[1:]:
        raise ValueError(f"Must be one of {', '.join(LEVELS[1:])}.")
    count = Subscription.objects.filter(user=user, source=min(source_id, LARGEST)).update(
        level=level
    )
    user.bump_cache_version()
    return bool(count)


@transaction.atomic
def dislike_story(user: User, lead: int, items: Sequence[int], wanted: bool) -> None:
    """ "Less like this": hide the whole story, and mark its lead as disliked. `wanted` False takes
    it back."""
    set_state(user, items, hidden=wanted, counts_for_taste=False)
    set_state(user, [lead], less=wanted)


@transaction.atomic
def forget_item(user: User, item_id: int) -> bool:
    """Remove an item from the reader's taste. It stays read, saved or hidden."""
    states = ItemState.objects.filter(user=user, item=min(item_id, LARGEST), told_at__isnull=False)
    count = states.update(told_at=None, is_opened=False, is_disliked=False)
    user.bump_cache_version()
    return bool(count)


@transaction.atomic
def forget_taste(user: User) -> None:
    """Delete the reader's taste: topics, levels of sources, followed stories, acts, impressions."""
    acts = ItemState.objects.filter(user=user, told_at__isnull=False)
    acts.update(told_at=None, is_opened=False, is_disliked=False)
    Impression.objects.filter(user=user).delete()
    FollowedStory.objects.filter(user=user).delete()
    Subscription.objects.filter(user=user).exclude(level="normal").update(level="normal")
    User.objects.filter(pk=user.pk).update(interests={})
    user.interests = {}
    user.bump_cache_version()


def log_impression(
    user: User,
    shown: Sequence[tuple[int, int]],
    now: datetime,
    odd: int | None = None,
    propensity: float = 1.0,
) -> None:
    """Record that a page showed these pairs (story id, lead item id), in this order.

    Leads that were recorded within a day are left out. `odd` is the story that was drawn to
    explore, `propensity` its probability.
    """
    before = _shown_since(user, now - SHOWN_AGAIN)
    new = [(story, lead) for story, lead in shown[:MAX_SHOWN] if lead not in before]
    if not new:
        return
    stories, leads = zip(*new, strict=True)
    has_odd = odd in stories
    drawn: tuple[int | None, float] = (odd, propensity) if has_odd else (None, 1.0)
    with connection.cursor() as cursor:
        values = [user.pk, stored(now), json.dumps(stories), json.dumps(leads), *drawn]
        cursor.execute(_RECORD, values)


def _shown_since(user: User, since: datetime) -> set[int]:
    """The leads of the impressions since a moment, in the transaction that may add one."""
    query = "SELECT leads FROM feeds_impression WHERE user_id = %s AND at >= %s"
    with connection.cursor() as cursor:
        leads = json_rows((stored_json("leads"),), query)
        cursor.execute(f"SELECT {leads}", [user.pk, stored(since)])
        (rows,) = cursor.fetchone()
    return {lead for (leads,) in loaded(rows) or [] for lead in leads}
