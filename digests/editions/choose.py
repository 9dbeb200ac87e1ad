"""Choose the stories of an edition from the items of its window, by rank and diversity."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from digests.editions.earlier import Covered
from digests.editions.edition import EarlierCoverage
from digests.editions.plan import Plan
from digests.editions.window_items import Part, window_items
from feeds.models import Item, Story
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify
from feeds.stories.ranking.rank import explain, rank
from feeds.stories.ranking.taste import Taste, tastes_of
from feeds.stories.ranking.traits import learned_from, preload_traits

MIN_STORIES, MAX_STORIES = 5, 9
MIN_SCORE_SHARE = 0.85
"""Stories beyond MIN_STORIES need at least this share of the score of story MIN_STORIES."""
MAX_ALSO = 12
MAX_TOPICS = 4


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


def choose_stories(part: Part, now: datetime) -> list[tuple[list[WindowStory], list[WindowStory]]]:
    """Return for each plan the stories of the edition, and those under "Also noted".

    Stories that were covered before are left out unless they have new items.
    """
    plans = part.plans
    candidates = [
        _new_stories(items, plan.covered, plan.user.interests if plan.user else {})
        for plan, items in zip(plans, window_items(part), strict=True)
    ]
    tastes = _tastes(plans, candidates, now)
    return [
        _best(own, plan, tastes.get(plan.user.pk) if plan.user else None, now)
        for plan, own in zip(plans, candidates, strict=True)
    ]


def _tastes(
    plans: Sequence[Plan], candidates: Sequence[Sequence[WindowStory]], now: datetime
) -> dict[int, Taste]:
    """{reader: taste} of the readers whose candidates are ranked. Also reads what the ranking
    compares."""
    readers = [
        plan.user.pk for plan, own in zip(plans, candidates, strict=True) if plan.user and own
    ]
    tastes = tastes_of(readers, now)
    compared = [taste for taste in tastes.values() if taste.acts]
    preload_traits(
        chain(
            (story.items[0].pk for own in candidates for story in own if compared),
            (act.item for taste in compared for act in taste.acts),
            (item for taste in compared for item in taste.shown),
        )
    )
    return tastes


def _best(
    candidates: list[WindowStory], plan: Plan, taste: Taste | None, now: datetime
) -> tuple[list[WindowStory], list[WindowStory]]:
    _rank(candidates, plan, taste, now)
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


def _rank(
    candidates: Sequence[WindowStory], plan: Plan, taste: Taste | None, now: datetime
) -> None:
    """Set the scores and reasons of candidates, with a reader also by their taste."""
    if not candidates:
        return
    facts = [_facts(candidate, now) for candidate in candidates]
    reader, learned = Reader(), None
    if plan.user is not None and taste is not None:
        reader = taste.reader(plan.user.interests, plan.chosen_levels)
        learned = learned_from(taste, now.timestamp())
    ranked = rank(facts, reader, learned)
    for candidate, fact, ranking in zip(candidates, facts, ranked, strict=True):
        candidate.score = ranking.score
        candidate.reasons = explain(fact, reader, ranking.terms)


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
