# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""The page of a story for one reader: its coverage, what is new, and related stories."""

import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.memo import cached
from ainews_site.infra.process_state import resets_process_state
from feeds.core.ids import lowest_id
from feeds.models import Item, Story, StoryRedirect
from feeds.models.narrow import (
    ITEM_COLUMNS,
    SOURCE_COLUMNS,
    among,
    fetch,
    moment,
    narrow_items,
    row_maker,
)
from feeds.stories.coverage import headline_for, is_unread, lead_first
from feeds.stories.grouping.tokenizer import terms_of
from feeds.stories.life import Stage, stage_at
from feeds.stories.members import Member, apply_state
from feeds.stories.story_members import StoryMembers, all_members_of, some_members_of

MAX_RELATED = 3
RELATED_WITHIN = timedelta(days=14)
"""Related stories were published within so much time before or after the story."""
MAX_COMPARED = 600
"""Number of recent items that are compared with the story."""
MAX_CACHED = 4_096
"""Headlines whose words are cached, about 4 MB."""
MIN_SIMILARITY = 0.15
"""Lowest similarity of a related story, in 0..1."""


RELATED_FRESH = 300
"""Lifetime of a cached choice of related stories in seconds."""
MAX_CHOSEN = 12
"""Related stories that are cached, as a reader may have hidden some."""

_STORY_COLUMNS = [field.attname for field in Story._meta.concrete_fields]
_STORY = (
    f"SELECT {', '.join(_STORY_COLUMNS)}, EXISTS (SELECT 1 FROM feeds_followedstory f"
    " WHERE f.user_id = %s AND f.story_id = feeds_story.id),"
    " EXISTS (SELECT 1 FROM feeds_subscription o JOIN feeds_source p ON p.id = o.source_id"
    " WHERE o.user_id = %s AND NOT p.is_public) FROM feeds_story WHERE id = %s"
)
_COLUMNS = "SELECT i.id, i.story_id, i.title, CAST(i.topics AS text) FROM feeds_item i"
_RANGE = "i.id >= %s AND i.id < %s AND i.copy_of IS NULL AND i.story_id <> %s"
_NEWEST = "ORDER BY i.id DESC LIMIT %s"
# SQLite keeps the order of a cross join, so that it reads the newest items first.
_PUBLIC_OTHERS = (
    f"{_COLUMNS} CROSS JOIN feeds_source c WHERE c.id = i.source_id AND {_RANGE} AND c.is_public"
    f" {_NEWEST}"
)
"""The public originals of other stories, the newest first."""
_OTHERS = (
    f"{_COLUMNS} CROSS JOIN feeds_source c"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    f" WHERE c.id = i.source_id AND {_RANGE} AND (c.is_public OR s.id IS NOT NULL)"
    f" AND NOT COALESCE(t.is_hidden, FALSE) {_NEWEST}"
)
"""The visible originals of other stories, the newest first, without those that were hidden."""
_SHOWN = (
    "SELECT i.id, i.story_id, i.title, i.source_id,"
    " COALESCE(NULLIF(s.title, ''), NULLIF(c.title, ''), c.url), i.published_at"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " LEFT JOIN feeds_itemstate t ON t.item_id = i.id AND t.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL) AND NOT COALESCE(t.is_hidden, FALSE) AND {}"
)
"""Items with the reader's names of their sources, if the reader can see them and did not hide
them."""

MAX_ROWS = 30
"""Rows of coverage on the first page of a story, and of copies."""
MAX_FRESH = 6
"""Articles in "New since your last visit"; the others stand in the coverage."""
MAX_REPORTS = 6
"""Articles that a summary is made of, each of another source."""

Selection = Callable[[Sequence[Member]], Sequence[Member]]
"""Selects the members whose articles a page shows."""


def all_members(members: Sequence[Member]) -> Sequence[Member]:
    return members


def both_ends(members: Sequence[Member]) -> Sequence[Member]:
    """The earliest and the newest members, together MAX_ROWS."""
    if len(members) <= MAX_ROWS:
        return members
    return [*members[: MAX_ROWS // 2], *members[-MAX_ROWS // 2 :]]


@dataclass(slots=True)
class Related:
    """A related story: its most similar item, with the reader's name of the source."""

    story_id: int
    title: str
    source_id: int
    source: str
    published_at: datetime


@dataclass(slots=True)
class StoryPage:
    """A story as its page shows it.

    `coverage` are the selected originals in order of publication, `copies` the other items.
    `fresh` are the newest originals that arrived after the reader last read or opened the story,
    oldest first. `dots` are the articles of the coverage strip. `reports` are the articles that a
    summary is made of, the lead first. `is_hidden` is True if the reader hid all that they can
    see. The counts and `item_ids` are of everything that the reader can see, or if `is_whole` is
    False as in `some_members_of`. `names` are the reader's own names of sources, {source id: name}.
    """

    story: Story
    title: str
    lead: Item
    first: Item
    latest: Item
    coverage: list[Item]
    copies: list[Item]
    fresh: list[Item]
    dots: list[Item]
    reports: list[Item]
    related: list[Related]
    topics: list[str]
    unread: bool
    is_followed: bool
    is_opened: bool
    is_hidden: bool
    source_count: int
    item_count: int
    original_count: int
    fresh_count: int
    item_ids: frozenset[int]
    is_whole: bool
    names: dict[int, str]

    @property
    def copy_count(self) -> int:
        return self.item_count - self.original_count

    @property
    def updated_at(self) -> datetime:
        return self.latest.published_at

    @property
    def stage(self) -> Stage:
        return stage_at(self.updated_at, db_clock.now())


def story_page(user: User, story_id: int, select: Selection = all_members) -> StoryPage | int:
    """Return the page, or the id of the story into which this one was merged.

    `select` selects the rows of the coverage. Raises Story.DoesNotExist if the reader cannot see
    any item of the story.
    """
    row = _read_story(user, story_id)
    if row is None:
        return _target(user, story_id)
    story, is_followed, follows_private = row
    read = some_members_of if select is both_ends else all_members_of
    own = read(user, story)
    members, originals = own.members, own.originals
    if not members:
        raise Story.DoesNotExist(f"The reader sees no item of story {story_id}.")
    original_ids = {member.pk for member in originals}
    copies = [member for member in members if member.pk not in original_ids]
    lead = lead_first(story, members)[0]
    coverage = select(originals)
    shown_copies = copies if select is all_members else copies[:MAX_ROWS]
    fresh = _fresh(own)
    dots, reports = own.dots, _reports(lead, originals)
    ends = [lead, originals[0], originals[-1]]
    wanted = {m.pk: m for m in (*coverage, *shown_copies, *fresh, *dots, *reports, *ends)}
    items = _items(wanted, own.items)

    def loaded(wanted: Sequence[Member]) -> list[Item]:
        return [items[member.pk] for member in wanted if member.pk in items]

    related = _related(user, story, list(items.values()), follows_private=follows_private)
    return StoryPage(
        story=story,
        title=headline_for(story, items[lead.pk]),
        lead=items[lead.pk],
        first=items[originals[0].pk],
        latest=items[ends[-1].pk],
        coverage=loaded(coverage),
        copies=loaded(shown_copies),
        fresh=loaded(fresh[-MAX_FRESH:]),
        dots=loaded(dots),
        reports=loaded(reports),
        related=related,
        topics=list(dict.fromkeys(topic for item in loaded(coverage) for topic in item.topics)),
        unread=is_unread(members, own.last_read),
        is_followed=is_followed,
        is_opened=lead.is_opened,
        is_hidden=lead.is_hidden,
        source_count=own.source_count,
        item_count=own.item_count,
        original_count=own.original_count,
        fresh_count=len(fresh),
        item_ids=frozenset(member.pk for member in members),
        is_whole=own.is_whole,
        names=_names(members),
    )


def _read_story(user: User, story_id: int) -> tuple[Story, bool, bool] | None:
    """Return (the story, whether the reader follows it, whether they follow private sources)."""
    if not 0 <= story_id < 1 << 63:
        return None
    rows = fetch(_STORY, [user.pk, user.pk, story_id])
    if not rows:
        return None
    *values, is_followed, follows_private = rows[0]
    return row_maker(Story, _STORY_COLUMNS)(values), bool(is_followed), bool(follows_private)


def _names(members: Sequence[Member]) -> dict[int, str]:
    return {member.source_id: member.own_name for member in members if member.own_name}


def _fresh(own: StoryMembers) -> list[Member]:
    """The unread originals that arrived after the reader last read an article of the story."""
    moments = [member.read_at or member.fetched_at for member in own.members if member.is_read]
    looked_at = max([*moments, own.last_read] if own.last_read else moments, default=None)
    if looked_at is None:
        return []
    return [m for m in own.originals if not m.is_read and m.fetched_at > looked_at]


def _reports(lead: Member, originals: Sequence[Member]) -> list[Member]:
    """The lead, then the first article of other sources: of the earliest and the newest."""
    firsts = {lead.source_id: lead}
    for member in originals:
        firsts.setdefault(member.source_id, member)
    reports = list(firsts.values())
    if len(reports) <= MAX_REPORTS:
        return reports
    return [*reports[: MAX_REPORTS - 2], *reports[-2:]]


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


def _items(members: dict[int, Member], known: Mapping[int, Item]) -> dict[int, Item]:
    """{id: the item with the reader's state}, in order of time. Those that are not `known` are
    read."""
    missing = members.keys() - known.keys()
    items = {**known, **narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, missing)}
    return {pk: apply_state(items[pk], members[pk]) for pk in sorted(members) if pk in items}


def _related(
    user: User, story: Story, items: Sequence[Item], *, follows_private: bool
) -> list[Related]:
    """Find stories of about the same time whose headlines share the most words and topics.

    Readers who follow only public sources share one cached choice. Whether they may see it is asked
    each time.
    """

    def choose() -> list[int]:
        return _choose_related(user, items, follows_private=follows_private)

    key = f"story-related-{story.pk}"
    chosen = choose() if follows_private else cached(key, choose, fresh=RELATED_FRESH)
    if not chosen:
        return []
    is_chosen, values = among("i.id", chosen)
    rows = fetch(_SHOWN.format(is_chosen), [user.pk, user.pk, *values])
    shown = {
        pk: Related(story_id, title, source_id, source, moment(published))
        for pk, story_id, title, source_id, source, published in rows
    }
    nearest: dict[int, Related] = {}
    for other in (shown[pk] for pk in chosen if pk in shown):
        if other.story_id not in (None, story.pk):
            nearest.setdefault(other.story_id, other)
    return list(nearest.values())[:MAX_RELATED]


def _choose_related(user: User, items: Sequence[Item], *, follows_private: bool) -> list[int]:
    """The ids of the most similar items, of MAX_CHOSEN different stories at most."""
    start = lowest_id(items[0].published_at - RELATED_WITHIN)
    end = lowest_id(items[-1].published_at + RELATED_WITHIN)
    bounds = [start, end, items[0].story_id, MAX_COMPARED]
    query, values = _PUBLIC_OTHERS, bounds
    if follows_private:
        query, values = _OTHERS, [user.pk, user.pk, *bounds]
    words = frozenset[str]().union(*(_words(item.title) for item in items))
    topics = {topic for item in items for topic in item.topics}
    best: dict[int, tuple[float, int]] = {}
    for pk, story, title, item_topics in fetch(query, values):
        by_words = _shared(_words(title), words)
        if not by_words:
            continue
        similarity = by_words * 0.7 + _shared(_topics(item_topics), topics) * 0.3
        if similarity >= MIN_SIMILARITY:
            best[story] = max(best.get(story, (0.0, 0)), (similarity, pk))
    return [pk for _, pk in sorted(best.values(), reverse=True)[:MAX_CHOSEN]]


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
