"""What readers say of their taste: follow, more, less, forget; and what was shown to them."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction

from accounts.models import User
from feeds.core.topics import LABELS
from feeds.models import FollowedStory, Impression, ItemState, Story, Subscription
from feeds.reading.marks import set_state

LEVELS = ("mute", "less", "normal", "more")
LARGEST = (1 << 63) - 1
MAX_SHOWN = 100
"""Of a page, the stories whose showing is kept."""
SHOWN_AGAIN = timedelta(days=1)
"""After so long an item that is still shown is recorded again."""


@transaction.atomic
def follow_story(user: User, story_id: int, wanted: bool) -> bool:
    """New tellings of a followed story stand first on the page. False where there is no such
    story that the reader may see; one can be let go of whether they see it or not."""
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
    """Raises ValueError, in words, for a topic or a level that there is not."""
    if topic not in LABELS:
        raise ValueError(f"Unknown topic: {topic[:40]!r}.")
    if level not in LEVELS:
        raise ValueError(f"Must be one of {', '.join(LEVELS)}.")
    kept = User.objects.select_for_update().get(pk=user.pk)
    kept.interests.pop(topic, None)
    if level != "normal":
        kept.interests[topic] = level
    kept.save(update_fields=["interests"])
    user.interests = kept.interests
    user.bump_cache_version()


@transaction.atomic
def weigh_source(user: User, source_id: int, level: str) -> bool:
    """False when the reader does not follow it; ValueError, in words, for no such level."""
    if level not in LEVELS[1:]:
        raise ValueError(f"Must be one of {', '.join(LEVELS[1:])}.")
    found = Subscription.objects.filter(user=user, source=min(source_id, LARGEST)).update(
        level=level
    )
    user.bump_cache_version()
    return bool(found)


@transaction.atomic
def dislike_story(user: User, lead: int, items: Sequence[int], wanted: bool) -> None:
    """Less like this: the whole story is hidden, its lead says what is not liked."""
    set_state(user, items, hidden=wanted, tells=False)
    set_state(user, [lead], less=wanted)


@transaction.atomic
def forget_item(user: User, item_id: int) -> bool:
    """What was done with it says nothing any more; it stays read, saved or hidden."""
    states = ItemState.objects.filter(user=user, item=min(item_id, LARGEST), told_at__isnull=False)
    found = states.update(told_at=None, is_opened=False, is_disliked=False)
    user.bump_cache_version()
    return bool(found)


@transaction.atomic
def forget_taste(user: User) -> None:
    """All of it: topics, levels of sources, followed stories, acts and what was shown."""
    told = ItemState.objects.filter(user=user, told_at__isnull=False)
    told.update(told_at=None, is_opened=False, is_disliked=False)
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
    """Record a page that showed these (story, its leading item), in that order. What the reader's
    rows of the last day have already is left out; a page without anything else is not recorded."""
    before = _shown_since(user, now - SHOWN_AGAIN)
    new = [(story, lead) for story, lead in shown[:MAX_SHOWN] if lead not in before]
    if not new:
        return
    stories, leads = zip(*new, strict=True)
    has_odd = odd in stories
    Impression.objects.create(
        user=user,
        at=now,
        stories=list(stories),
        leads=list(leads),
        odd=odd if has_odd else None,
        propensity=propensity if has_odd else 1.0,
    )


def _shown_since(user: User, moment: datetime) -> set[int]:
    rows = Impression.objects.filter(user=user, at__gte=moment).values_list("leads", flat=True)
    return {lead for leads in rows for lead in leads}
