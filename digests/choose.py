"""Choose what an edition tells: the day's stories of one reader, by rank and diversity."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from digests.window import LATE, Window
from feeds.ids import lowest_id
from feeds.models import Item, ItemState, Story, Subscription
from feeds.stories.arrange import Candidate, diversify
from feeds.stories.rank import Facts, rank
from feeds.stories.scoring import likeness_of
from feeds.stories.taste import taste_of
from feeds.stories.traits import learned_from

MOST_STORIES = 7
MOST_ALSO = 12


@dataclass(slots=True)
class Chosen:
    """A story with this reader's items of the window, best first, copies last."""

    story: Story
    items: list[Item] = field(default_factory=list)
    is_update: bool = False
    score: float = 0.0

    @property
    def source_ids(self) -> set[int]:
        return {item.source_id for item in self.items if item.copy_of is None}


def items_of(user: User, window: Window) -> list[Item]:
    """What was published in the window, or arrived in it only a little late."""
    in_window = Q(published_at__gte=window.start, published_at__lt=window.end) | Q(
        fetched_at__gte=window.start, fetched_at__lt=window.end
    )
    return list(
        Item.objects.subscribed_by(user)
        .filter(in_window, id__gte=lowest_id(window.start - LATE), id__lt=lowest_id(window.end))
        .filter(story__isnull=False)
        .exclude(pk__in=ItemState.objects.filter(user=user, is_hidden=True).values("item_id"))
        .select_related("source", "story")
        .order_by("id")
    )


def choose(
    user: User, window: Window, told: dict[int, int], now: datetime
) -> tuple[list[Chosen], list[Chosen]]:
    """The edition's stories and those also noted.

    `told` gives, by id, the stories of the edition before with the newest arrival that
    it knew: they are left out unless something arrived since, and then are updates.
    """
    candidates = _news(items_of(user, window), told, user.interests)
    _rank(candidates, user, now)
    ranked = sorted(candidates, key=lambda c: (-c.score, -c.story.pk))
    main = _diverse(ranked)
    picked = {c.story.pk for c in main}
    return main, [c for c in ranked if c.story.pk not in picked][:MOST_ALSO]


def _news(items: Iterable[Item], told: dict[int, int], interests: dict[str, Any]) -> list[Chosen]:
    by_story: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        if item.story_id is not None and item.seq > told.get(item.story_id, -1):
            by_story[item.story_id].append(item)
    chosen = []
    for story_id, own in by_story.items():
        if story_id in told and all(item.copy_of is not None for item in own):
            continue
        story = own[0].story
        assert story is not None
        if any(interests.get(topic) == "mute" for topic in story.topics):
            continue
        own.sort(key=lambda item: (item.copy_of is not None, item.pk != story.lead_id, item.pk))
        chosen.append(Chosen(story, own, is_update=story_id in told))
    return chosen


def _rank(candidates: Sequence[Chosen], user: User, now: datetime) -> None:
    if not candidates:
        return
    levels = dict(
        Subscription.objects.filter(user=user)
        .exclude(level="normal")
        .values_list("source", "level")
    )
    taste = taste_of(user, now)
    reader = taste.reader(user.interests, levels)
    facts = [_facts(candidate, now) for candidate in candidates]
    likes = None
    if taste.acts:
        learned = learned_from(taste, now.timestamp())
        likes = likeness_of([one.items[0].pk for one in candidates], learned, reader.surety())
    for candidate, ranking in zip(candidates, rank(facts, reader, likes), strict=True):
        candidate.score = ranking.score


def _facts(candidate: Chosen, now: datetime) -> Facts:
    originals = [item for item in candidate.items if item.copy_of is None] or candidate.items
    newest = max(item.published_at for item in originals)
    return Facts(
        sources=len(candidate.source_ids),
        age=max(0.0, (now - newest).total_seconds() / 3600),
        topics=tuple(candidate.story.topics),
        weight=max(item.source.weight for item in originals),
        lead_source=candidate.items[0].source_id,
        story=candidate.story.pk,
    )


def _diverse(ranked: Iterable[Chosen]) -> list[Chosen]:
    """The best, mixed from topics and sources."""
    by_id = {one.story.pk: one for one in ranked}
    candidates = [
        Candidate(pk, one.score, tuple(one.story.topics), one.items[0].source_id)
        for pk, one in by_id.items()
    ]
    return [by_id[pk] for pk in diversify(candidates, MOST_STORIES)]
