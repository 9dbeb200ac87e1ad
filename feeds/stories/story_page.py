"""The page of a story for one reader: its coverage, a timeline by day, and related stories."""

import json
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import lru_cache

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.process_state import resets_process_state
from ainews_site.infra.timezones import zone_named
from feeds.core.ids import lowest_id
from feeds.models import FollowedStory, Item, Story, StoryRedirect
from feeds.models.narrow import ITEM_COLUMNS, SOURCE_COLUMNS, fetch, narrow_items
from feeds.stories.coverage import headline_for, is_unread, lead_first, settle_copies
from feeds.stories.grouping.tokenizer import terms_of
from feeds.stories.life import Stage, stage_at
from feeds.stories.members import Member, apply_state, members_of

MAX_RELATED = 3
RELATED_WITHIN = timedelta(days=14)
"""Related stories were published within so much time before or after the story."""
MAX_COMPARED = 600
"""Number of recent items that are compared with the story."""
MAX_CACHED = 4_096
"""Headlines whose words are cached, about 4 MB."""
MIN_SIMILARITY = 0.15
"""Lowest similarity of a related story, in 0..1."""


_OTHERS = (
    "SELECT i.id, i.story_id, i.title, CAST(i.topics AS text) FROM feeds_item i"
    # SQLite keeps the order of a cross join, so that it reads the newest items first.
    " CROSS JOIN feeds_source c"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE c.id = i.source_id AND i.id >= %s AND i.id < %s AND i.copy_of IS NULL"
    " AND i.story_id <> %s AND (c.is_public OR s.id IS NOT NULL)"
    " AND NOT COALESCE(t.is_hidden, FALSE) ORDER BY i.id DESC LIMIT %s"
)
"""The visible originals of other stories, the newest first, without those that were hidden."""


@dataclass(slots=True)
class Day:
    """The items of one day in the reader's time zone."""

    date: date
    items: list[Item] = field(default_factory=list)


@dataclass(slots=True)
class Related:
    """A related story, with its most similar item."""

    story_id: int
    item: Item

    @property
    def title(self) -> str:
        return self.item.title


@dataclass(slots=True)
class StoryPage:
    """A story as its page shows it.

    `coverage` are the originals in order of publication, `copies` the other items; `timeline` has
    both by day. If they were limited, `item_count` is larger than both together, and `source_count`
    is of all.
    """

    story: Story
    title: str
    lead: Item
    coverage: list[Item]
    copies: list[Item]
    timeline: list[Day]
    related: list[Related]
    topics: list[str]
    unread: bool
    is_followed: bool
    is_opened: bool
    source_count: int
    item_count: int

    @property
    def first(self) -> Item:
        return self.coverage[0]

    @property
    def updated_at(self) -> datetime:
        return max(item.published_at for item in self.coverage)

    @property
    def stage(self) -> Stage:
        return stage_at(self.updated_at, db_clock.now())


def story_page(user: User, story_id: int, most: int | None = None) -> StoryPage | int:
    """Return the page, or the id of the story into which this one was merged.

    With `most`, it has the lead, the first and the newest items, so many together. Raises
    Story.DoesNotExist if the reader cannot see any item of the story.
    """
    story = Story.objects.filter(pk=story_id).first()
    if story is None:
        return _target(user, story_id)
    members = _visible_members(user, story)
    if not members:
        raise Story.DoesNotExist(f"The reader sees no item of story {story_id}.")
    first_of_all = lead_first(story, members)[0]
    items = _items(_limited(members, first_of_all, most))
    lead = next(item for item in items if item.pk == first_of_all.pk)
    coverage = [item for item in items if item.copy_of is None] or items
    shown = {item.pk for item in coverage}
    return StoryPage(
        story=story,
        title=headline_for(story, lead),
        lead=lead,
        coverage=coverage,
        copies=[item for item in items if item.pk not in shown],
        timeline=_timeline(items, user),
        related=_related(user, items),
        topics=list(dict.fromkeys(topic for item in coverage for topic in item.topics)),
        unread=is_unread(members),
        is_followed=FollowedStory.objects.filter(user=user, story=story).exists(),
        is_opened=first_of_all.is_opened,
        source_count=len({m.source_id for m in members if m.copy_of is None})
        or len({m.source_id for m in members}),
        item_count=len(members),
    )


def _target(user: User, story_id: int) -> int:
    redirect = StoryRedirect.objects.filter(old_id=story_id).first()
    if redirect is None or not _can_see_redirect(user, redirect):
        raise Story.DoesNotExist(f"There is no story {story_id} for this reader.")
    return redirect.story_id


def _can_see_redirect(user: User, redirect: StoryRedirect) -> bool:
    """Whether the reader may learn where a story was merged.

    The redirect of a private story is visible only to its readers: those who can see the item
    whose id it has or, if that item was deleted, a private item of the target.
    """
    visible = Item.objects.visible_to(user)
    if not redirect.is_public and Item.objects.filter(pk=redirect.old_id).exists():
        if not visible.filter(pk=redirect.old_id).exists():
            return False
    elif not redirect.is_public:
        visible = visible.filter(source__is_public=False)
    return visible.filter(story=redirect.story_id).exists()


def _visible_members(user: User, story: Story) -> list[Member]:
    """The visible items in order of time, without hidden ones unless all are hidden."""
    members = members_of(user, [story], most=None)
    settle_copies(members, Item.objects.visible_to(user))
    return [member for member in members if not member.is_hidden] or members


def _limited(members: list[Member], lead: Member, most: int | None) -> list[Member]:
    if most is None or len(members) <= most:
        return members
    kept = {lead.pk, members[0].pk}
    kept |= {member.pk for member in members[len(kept) - most :]}
    return [member for member in members if member.pk in kept]


def _items(members: Sequence[Member]) -> list[Item]:
    items = narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, (member.pk for member in members))
    return [apply_state(items[member.pk], member) for member in members if member.pk in items]


def _timeline(items: Iterable[Item], user: User) -> list[Day]:
    zone = zone_named(user.time_zone)
    days: dict[date, Day] = {}
    for item in items:
        day = item.published_at.astimezone(zone).date()
        days.setdefault(day, Day(day)).items.append(item)
    return list(days.values())


def _related(user: User, items: Sequence[Item]) -> list[Related]:
    """Find stories of about the same time whose headlines share the most words and topics."""
    start = lowest_id(items[0].published_at - RELATED_WITHIN)
    end = lowest_id(items[-1].published_at + RELATED_WITHIN)
    values = [user.pk, user.pk, start, end, items[0].story_id, MAX_COMPARED]
    words = frozenset[str]().union(*(_words(item.title) for item in items))
    topics = {topic for item in items for topic in item.topics}
    best: dict[int, tuple[float, int]] = {}
    for pk, story, title, item_topics in fetch(_OTHERS, values):
        by_words = _shared(_words(title), words)
        if not by_words:
            continue
        similarity = by_words * 0.7 + _shared(_topics(item_topics), topics) * 0.3
        if similarity >= MIN_SIMILARITY:
            best[story] = max(best.get(story, (0.0, 0)), (similarity, pk))
    nearest = sorted(best.items(), key=lambda entry: entry[1], reverse=True)[:MAX_RELATED]
    shown = narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, (pk for _, (_, pk) in nearest))
    return [Related(story, shown[pk]) for story, (_, pk) in nearest if pk in shown]


@lru_cache(MAX_CACHED)
def _words(title: str) -> frozenset[str]:
    """The terms of a headline. Readers compare their stories with the same recent headlines."""
    return frozenset(terms_of(title))


@lru_cache(MAX_CACHED)
def _topics(text: str) -> frozenset[str]:
    return frozenset(json.loads(text))


resets_process_state(_words.cache_clear)
resets_process_state(_topics.cache_clear)


def _shared(values: Set[str], others: Set[str]) -> float:
    """The fraction of `values` that is among `others`."""
    return len(values & others) / len(values) if values else 0.0
