"""Choose what an edition tells: the stories of its window, by rank and diversity."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from digests.editions.earlier import Covered
from digests.editions.edition import Before
from digests.editions.window import LATE, Window
from feeds.core.ids import lowest_id
from feeds.models import Item, ItemState, Source, Story, Subscription
from feeds.models.item import ItemQuerySet
from feeds.stories.coverage import settle_copies
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify
from feeds.stories.ranking.rank import explain, rank
from feeds.stories.ranking.taste import taste_of
from feeds.stories.ranking.traits import learned_from

MIN_STORIES, MAX_STORIES = 5, 9
NEARLY_AS_GOOD = 0.85
"""Beyond the fewest, a story needs this share of the score of the last of them."""
MAX_ALSO = 12
MAX_TOPICS = 4


@dataclass(slots=True)
class Chosen:
    """A story with what this reader sees of it in the window, best first, copies last."""

    story: Story
    items: list[Item] = field(default_factory=list)
    before: Before | None = None
    score: float = 0.0
    reasons: str = ""

    @property
    def is_update(self) -> bool:
        return self.before is not None

    @property
    def source_ids(self) -> set[int]:
        return {item.source_id for item in self.items if item.copy_of is None}

    @property
    def topics(self) -> tuple[str, ...]:
        """Of these items: what else the story is about, others may know from sources of theirs."""
        told = Counter(topic for item in self.items for topic in item.topics)
        return tuple(name for name, _ in told.most_common(MAX_TOPICS))


def items_of(user: User | None, window: Window) -> list[Item]:
    """What was published in the window, or arrived in it only a little late: of the reader's
    sources, or without a reader of the catalogue's public ones."""
    in_window = Q(published_at__gte=window.start, published_at__lt=window.end) | Q(
        fetched_at__gte=window.start, fetched_at__lt=window.end
    )
    items = list(
        _readable(user)
        .filter(in_window, id__gte=lowest_id(window.start - LATE), id__lt=lowest_id(window.end))
        .filter(story__isnull=False)
        .select_related("source", "story")
        .order_by("id")
    )
    settle_copies(items, Item.objects.visible_to(user) if user else _readable(None))
    return items


def _readable(user: User | None) -> ItemQuerySet:
    if user is None:
        public = Source.objects.filter(is_public=True)
        return Item.objects.filter(source__in=public.values("pk"))
    hidden = ItemState.objects.filter(user=user, is_hidden=True)
    return Item.objects.subscribed_by(user).exclude(pk__in=hidden.values("item_id"))


def choose(
    user: User | None, window: Window, told: Covered, now: datetime
) -> tuple[list[Chosen], list[Chosen]]:
    """The edition's stories and those also noted.

    What was told before is left out unless something arrived since, and then is an update.
    """
    candidates = _news(items_of(user, window), told, user.interests if user else {})
    _rank(candidates, user, now)
    ranked = sorted(candidates, key=lambda c: (-c.score, -c.story.pk))
    main = _diverse(ranked)
    picked = {c.story.pk for c in main}
    return main, [c for c in ranked if c.story.pk not in picked][:MAX_ALSO]


def _news(items: Iterable[Item], told: Covered, interests: dict[str, Any]) -> list[Chosen]:
    by_story: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        if item.story_id is not None and _is_new(item, item.story_id, told):
            by_story[item.story_id].append(item)
    chosen = []
    for story_id, own in by_story.items():
        before = told.before.get(story_id)
        if before and all(item.copy_of is not None for item in own):
            continue
        if all(item.seq <= told.noted.get(story_id, -1) for item in own):
            continue
        story = own[0].story
        assert story is not None
        own.sort(key=lambda item: (item.copy_of is not None, item.pk != story.lead_id, item.pk))
        one = Chosen(story, own, before)
        if not Reader(interests).mutes(one.topics):
            chosen.append(one)
    return chosen


def _is_new(item: Item, story_id: int, told: Covered) -> bool:
    return item.seq > told.seqs.get(story_id, -1) and item.pk not in told.item_ids


def _rank(candidates: Sequence[Chosen], user: User | None, now: datetime) -> None:
    """For everyone by what is told alone; for a reader by their taste too."""
    if not candidates:
        return
    facts = [_facts(candidate, now) for candidate in candidates]
    reader, learned = Reader(), None
    if user is not None:
        taste = taste_of(user, now)
        reader = taste.reader(user.interests, _levels(user))
        learned = learned_from(taste, now.timestamp())
    ranked = rank(facts, reader, learned)
    for candidate, fact, ranking in zip(candidates, facts, ranked, strict=True):
        candidate.score = ranking.score
        candidate.reasons = explain(fact, reader, ranking.terms)


def _levels(user: User) -> dict[int, str]:
    said = Subscription.objects.filter(user=user).exclude(level="normal")
    return dict(said.values_list("source", "level"))


def _facts(candidate: Chosen, now: datetime) -> Facts:
    originals = [item for item in candidate.items if item.copy_of is None] or candidate.items
    newest = max(item.published_at for item in originals)
    return Facts(
        sources=len(candidate.source_ids),
        age=max(0.0, (now - newest).total_seconds() / 3600),
        topics=candidate.topics,
        weight=max(item.source.weight for item in originals),
        lead_source=candidate.items[0].source_id,
        story=candidate.story.pk,
        lead=candidate.items[0].pk,
    )


def _diverse(ranked: Iterable[Chosen]) -> list[Chosen]:
    """The best, mixed from topics and sources; fewer than the most where they get weak."""
    by_id = {one.story.pk: one for one in ranked}
    candidates = [
        Candidate(pk, one.score, one.topics, one.items[0].source_id) for pk, one in by_id.items()
    ]
    best = [by_id[pk] for pk in diversify(candidates, MAX_STORIES)]
    sure = best[:MIN_STORIES]
    return sure + [
        one for one in best[MIN_STORIES:] if one.score >= NEARLY_AS_GOOD * sure[-1].score
    ]
