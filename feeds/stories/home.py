"""The stories of one reader, ranked and in sections: what the home page and the API show."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property

from django.utils import timezone

from accounts.models import User
from accounts.zones import zone_named
from feeds.ids import TAIL_BITS, id_time
from feeds.models import Item, ItemState, Story, Subscription
from feeds.models.item import ItemQuerySet
from feeds.reading.sources import folders_below
from feeds.stories.candidates import Telling, recent_tellings
from feeds.stories.coverage import headline_for, is_unread, lead_first, with_state
from feeds.stories.page import StoryPage, story_page
from feeds.stories.rank import (
    Candidate,
    Facts,
    Ranking,
    Reader,
    diversify,
    explain,
    learn_taste,
    rank,
)

__all__ = [
    "RankedStory",
    "Section",
    "StoryPage",
    "home_sections",
    "ranked_stories",
    "story_page",
]

MOST_STORIES = 100
MOST_TOP = 5
TOP_HOURS = 36
FEWEST_FOR_TOP = 12
"""With fewer stories than that, a section of the best would be most of the page."""
MOST_TOPICS = 4
LEARNED = 300
"""The newest saved and hidden items that say what the reader likes."""


@dataclass(slots=True)
class _Entry:
    """A story as this reader sees it, before its rows are read. `newest` is the id of its newest
    telling that is no copy."""

    tellings: Sequence[Telling]
    facts: Facts
    ranking: Ranking
    newest: int


@dataclass
class RankedStory:
    """A story with its coverage by the reader's own sources: the lead first, copies last."""

    story: Story
    items: list[Item]
    score: float
    terms: Mapping[str, float]
    why: str
    topics: tuple[str, ...]
    newest_at: datetime

    @property
    def lead(self) -> Item:
        return self.items[0]

    @property
    def title(self) -> str:
        return headline_for(self.story, self.lead)

    @cached_property
    def source_count(self) -> int:
        return len({item.source_id for item in self.items if item.copy_of is None}) or 1

    @property
    def other_sources(self) -> int:
        return self.source_count - 1

    @property
    def unread(self) -> bool:
        return is_unread(self.items)


@dataclass(slots=True)
class Section:
    title: str
    stories: list[RankedStory] = field(default_factory=list)


def home_sections(
    user: User, *, topic: str = "", folder_id: int | None = None, now: datetime | None = None
) -> list[Section]:
    """What happened to the reader's sources in the last days: the best of it, then by day.

    Ten queries at most, whatever is shown. Muted topics are left out unless one is asked
    for by `topic`; hidden items are left out always.
    """
    now = now or timezone.now()
    zone = zone_named(user.time_zone)
    ranked = ranked_stories(user, topic=topic, folder_id=folder_id, now=now)
    top = _top(ranked, now) if not topic else []
    best = {one.story.pk for one in top}
    days = [Section("Today"), Section("Yesterday"), Section("Earlier")]
    today = now.astimezone(zone).date()
    for one in ranked:
        if one.story.pk not in best:
            ago = (today - one.newest_at.astimezone(zone).date()).days
            days[min(max(ago, 0), 2)].stories.append(one)
    return [section for section in (Section("Top stories", top), *days) if section.stories]


def ranked_stories(
    user: User,
    *,
    topic: str = "",
    folder_id: int | None = None,
    now: datetime | None = None,
    most: int = MOST_STORIES,
) -> list[RankedStory]:
    """The reader's stories of the last days, best first."""
    now = now or timezone.now()
    weights = _weights(user, folder_id)
    if not weights:
        return []
    reader = Reader(user.interests, _taste(user))
    told = _by_story(recent_tellings(user, weights, now))
    moment = now.timestamp()
    entries = [_enter(tellings, weights, reader, moment) for tellings in told]
    wanted = [one for one in entries if _is_wanted(one.facts.topics, topic, reader)]
    wanted.sort(key=lambda one: (-one.ranking.score, -one.tellings[0].story))
    return _read(user, weights, wanted[:most], reader)


def _weights(user: User, folder_id: int | None) -> dict[int, float]:
    """The trust in each source that the reader follows, in this folder and those within."""
    followed = Subscription.objects.filter(user=user)
    if folder_id is not None:
        followed = followed.filter(folder__in=folders_below(user, folder_id))
    return dict(followed.values_list("source_id", "source__weight"))


def _taste(user: User) -> dict[str, float]:
    touched = ItemState.objects.filter(user=user, is_saved=True) | ItemState.objects.filter(
        user=user, is_hidden=True
    )
    rows = touched.order_by("-item_id").values_list("is_hidden", "item__topics")[:LEARNED]
    saved: list[list[str]] = []
    hidden: list[list[str]] = []
    for is_hidden, topics in rows:
        (hidden if is_hidden else saved).append(topics)
    return learn_taste(saved, hidden)


def _by_story(tellings: Iterable[Telling]) -> Iterable[Sequence[Telling]]:
    found: defaultdict[int, list[Telling]] = defaultdict(list)
    for telling in tellings:
        found[telling.story].append(telling)
    return found.values()


def _shown(user: User, source_ids: Iterable[int]) -> ItemQuerySet:
    hidden = ItemState.objects.filter(user=user, is_hidden=True).values("item_id")
    return Item.objects.filter(source__in=list(source_ids)).exclude(pk__in=hidden)


def _enter(
    tellings: Sequence[Telling], weights: Mapping[int, float], reader: Reader, moment: float
) -> _Entry:
    """`moment` is the present in seconds since 1970."""
    if len(tellings) == 1:  # most of what is told, and soon done
        best = tellings[0]
        count, newest, topics = 1, best.id, tuple(best.topics[:MOST_TOPICS])
    else:
        originals = [one for one in tellings if one.copy_of is None] or tellings
        best = max(originals, key=lambda one: (weights[one.source], -one.id))
        count, newest = len({one.source for one in originals}), max(one.id for one in originals)
        told = Counter(topic for one in originals for topic in one.topics)
        topics = tuple(name for name, _ in told.most_common(MOST_TOPICS))
    age = max(0.0, (moment - (newest >> TAIL_BITS)) / 3600)
    facts = Facts(count, age, topics, weights[best.source], best.source)
    return _Entry(tellings, facts, rank(facts, reader), newest)


def _is_wanted(topics: Sequence[str], topic: str, reader: Reader) -> bool:
    return topic in topics if topic else not reader.mutes(topics)


def _read(
    user: User, source_ids: Iterable[int], entries: Sequence[_Entry], reader: Reader
) -> list[RankedStory]:
    """The rows of those that are shown, all coverage with them, in three queries."""
    stories = Story.objects.in_bulk([one.tellings[0].story for one in entries])
    items: defaultdict[int, list[Item]] = defaultdict(list)
    coverage = with_state(_shown(user, source_ids).telling(stories.values()), user)
    for item in coverage.prefetch_related("source").order_by("id"):
        items[item.story_id or 0].append(item)
    return [
        RankedStory(
            story=stories[pk],
            items=lead_first(stories[pk], items[pk]),
            score=one.ranking.score,
            terms=one.ranking.terms,
            why=explain(one.facts, reader),
            topics=one.facts.topics,
            newest_at=id_time(one.newest),
        )
        for one in entries
        # A regrouping in between may have emptied one.
        if (pk := one.tellings[0].story) in stories and items[pk]
    ]


def _top(ranked: Sequence[RankedStory], now: datetime) -> list[RankedStory]:
    if len(ranked) < FEWEST_FOR_TOP:
        return []
    by_id = {
        one.story.pk: one for one in ranked if now - one.newest_at <= timedelta(hours=TOP_HOURS)
    }
    candidates = [
        Candidate(pk, one.score, one.topics, one.lead.source_id) for pk, one in by_id.items()
    ]
    return [by_id[pk] for pk in diversify(candidates, MOST_TOP)]
