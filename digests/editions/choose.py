"""Choose the stories of an edition from the items of its window, by rank and diversity."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Q

from accounts.models import User
from digests.editions.earlier import Covered
from digests.editions.edition import EarlierCoverage
from digests.editions.window import LATE, Window
from feeds.core.ids import lowest_id
from feeds.models import Item, ItemState, Source, Story, Subscription
from feeds.models.item import ItemQuerySet
from feeds.models.narrow import ITEM_COLUMNS, narrow_items
from feeds.stories.coverage import settle_copies
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify
from feeds.stories.ranking.rank import explain, rank
from feeds.stories.ranking.taste import taste_of
from feeds.stories.ranking.traits import learned_from

MIN_STORIES, MAX_STORIES = 5, 9
MIN_SCORE_SHARE = 0.85
"""Stories beyond MIN_STORIES need at least this share of the score of story MIN_STORIES."""
MAX_ALSO = 12
MAX_TOPICS = 4
AT_ONCE = 10_000
"""Items that one query reads. SQLite limits the parameters of a query."""
SOURCE_COLUMNS = ("id", "url", "title", "site_url", "weight")
STORY_COLUMNS = ("id", "title", "lead_id", "title_pinned")


@dataclass(slots=True)
class WindowStory:
    """A story with its visible items of the window, the best first and copies last.

    `before` is set if an earlier edition covered it, which makes it an update.
    """

    story: Story
    items: list[Item] = field(default_factory=list)
    before: EarlierCoverage | None = None
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
        """The most frequent topics of these items. Those of the story may come from sources that
        the reader cannot see."""
        counts = Counter(topic for item in self.items for topic in item.topics)
        return tuple(name for name, _ in counts.most_common(MAX_TOPICS))


def window_items(user: User | None, window: Window) -> list[Item]:
    """The items that were published or fetched in the window, by the reader's sources, or without
    a reader by all public sources. Items older than LATE are left out."""
    in_window = Q(published_at__gte=window.start, published_at__lt=window.end) | Q(
        fetched_at__gte=window.start, fetched_at__lt=window.end
    )
    chosen = (
        _readable(user)
        .filter(in_window, id__gte=lowest_id(window.start - LATE), id__lt=lowest_id(window.end))
        .filter(story__isnull=False)
        .order_by("id")
    )
    items = _read(list(chosen.values_list("pk", flat=True)))
    settle_copies(items, Item.objects.visible_to(user) if user else _readable(None))
    return items


def _read(ids: Sequence[int]) -> list[Item]:
    """These items in their order, with the columns of their sources and stories that editions
    use. A queryset would make three full rows of each item."""
    items: dict[int, Item] = {}
    for start in range(0, len(ids), AT_ONCE):
        part = ids[start : start + AT_ONCE]
        items |= narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, part, STORY_COLUMNS)
    return [items[pk] for pk in ids if pk in items]


def _readable(user: User | None) -> ItemQuerySet:
    if user is None:
        public = Source.objects.filter(is_public=True)
        return Item.objects.filter(source__in=public.values("pk"))
    hidden = ItemState.objects.filter(user=user, is_hidden=True)
    return Item.objects.subscribed_by(user).exclude(pk__in=hidden.values("item_id"))


def choose_stories(
    user: User | None, window: Window, covered: Covered, now: datetime
) -> tuple[list[WindowStory], list[WindowStory]]:
    """Return the stories of the edition, and those that it lists under "Also noted".

    Stories that were covered before are left out unless they have new items.
    """
    candidates = _new_stories(window_items(user, window), covered, user.interests if user else {})
    _rank(candidates, user, now)
    ranked = sorted(candidates, key=lambda c: (-c.score, -c.story.pk))
    main = _diverse(ranked)
    picked = {c.story.pk for c in main}
    return main, [c for c in ranked if c.story.pk not in picked][:MAX_ALSO]


def _new_stories(
    items: Iterable[Item], covered: Covered, interests: dict[str, Any]
) -> list[WindowStory]:
    by_story: dict[int, list[Item]] = defaultdict(list)
    for item in items:
        if item.story_id is not None and _is_new(item, item.story_id, covered):
            by_story[item.story_id].append(item)
    stories = []
    for story_id, story_items in by_story.items():
        before = covered.before.get(story_id)
        if before and all(item.copy_of is not None for item in story_items):
            continue
        if all(item.seq <= covered.noted.get(story_id, -1) for item in story_items):
            continue
        story = story_items[0].story
        assert story is not None
        story_items.sort(
            key=lambda item: (item.copy_of is not None, item.pk != story.lead_id, item.pk)
        )
        candidate = WindowStory(story, story_items, before)
        if not Reader(interests).mutes(candidate.topics):
            stories.append(candidate)
    return stories


def _is_new(item: Item, story_id: int, covered: Covered) -> bool:
    return item.seq > covered.seqs.get(story_id, -1) and item.pk not in covered.item_ids


def _rank(candidates: Sequence[WindowStory], user: User | None, now: datetime) -> None:
    """Set the scores and reasons of candidates, with a reader also by their taste."""
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
    """{source id: level} of the sources for which the reader chose a level."""
    subscriptions = Subscription.objects.filter(user=user).exclude(level="normal")
    return dict(subscriptions.values_list("source", "level"))


def _facts(candidate: WindowStory, now: datetime) -> Facts:
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


def _diverse(ranked: Iterable[WindowStory]) -> list[WindowStory]:
    """The best stories with diverse topics and sources, between MIN_STORIES and MAX_STORIES."""
    by_id = {story.story.pk: story for story in ranked}
    candidates = [
        Candidate(pk, story.score, story.topics, story.items[0].source_id)
        for pk, story in by_id.items()
    ]
    best = [by_id[pk] for pk in diversify(candidates, MAX_STORIES)]
    first = best[:MIN_STORIES]
    return first + [s for s in best[MIN_STORIES:] if s.score >= MIN_SCORE_SHARE * first[-1].score]
