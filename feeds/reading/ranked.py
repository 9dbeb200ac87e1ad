"""The stories of the last days, ranked for one reader."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.process_state import resets_process_state
from feeds.coordination.revisions import News, news_for
from feeds.core.ids import id_time
from feeds.models import Item
from feeds.models.narrow import among, fetch, moment, narrow_items
from feeds.models.story import StoryHead
from feeds.reading.sources import Followed, followed_sources, within
from feeds.stories.coverage import headline_for, is_unread, lead_first, settle_copies
from feeds.stories.members import (
    MAX_DOTS,
    MAX_MEMBERS,
    Dot,
    Member,
    apply_state,
    last_read,
    members_of,
    spread,
)
from feeds.stories.ranking import terms
from feeds.stories.ranking.candidates import Articles, recent_articles
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.rank import explain
from feeds.stories.ranking.scoring import Scored, score_all
from feeds.stories.ranking.taste import taste_of
from feeds.stories.ranking.traits import learned_from

FRESH = 60
"""Seconds for which a ranking of the same articles for the same taste is used again: stories age
slowly."""
MAX_RANKINGS = 50
"""Rankings in the cache of the process, about 3 MB: for the next page, or another filter."""
MAX_STORIES = 100
MAX_TOPICS = 4
MAX_SHOWN = 6
"""Items of a story whose rows are read: the lead, and the first of other sources."""
ROW_COLUMNS = (
    *("id", "source_id", "story_id", "copy_of", "url", "title", "summary", "image_url"),
    "published_at",
)
ROW_SOURCE_COLUMNS = ("id", "url", "title")
"""What a row shows of an item and of its source."""
DIFFERENT = "something different"


class _Entry(NamedTuple):
    """A ranked story before its rows are read.

    `values` are those of the ranking terms, in their order; `articles` is the number of articles
    that were ranked; `newest` is the id of the newest original. The rest is as in Facts.
    """

    story: int
    sources: int
    topics: tuple[str, ...]
    score: float
    values: tuple[float, ...]
    newest: int
    articles: int
    age: float
    weight: float
    lead_source: int
    lead: int
    entropy: float


class _Head(NamedTuple):
    """A story without its topics and counts of all readers."""

    pk: int
    title: str
    lead_id: int | None
    first_at: datetime
    item_count: int
    title_pinned: bool


_rankings: dict[str, list[_Entry]] = {}
resets_process_state(_rankings.clear)


@dataclass(slots=True)
class RankedStory:
    """A story by the reader's sources. What only a shown row needs is computed when asked for.

    `members` are its items in order of time, `shown` those of a row: at most MAX_SHOWN, the lead
    first, copies last.
    """

    story: StoryHead
    members: Sequence[Member]
    shown: Sequence[Member]
    unread: bool
    source_count: int
    """Sources that cover the story. Copies do not count."""
    coverage_count: int
    """Articles, with copies."""
    is_followed: bool
    is_odd: bool
    """Whether it was drawn to explore."""
    chance: float
    """The probability with which it was drawn."""
    _entry: _Entry
    _reader: Reader
    _page: "list[RankedStory]"
    """All stories of the ranking."""
    _items: list[Item] | None = None

    @property
    def items(self) -> list[Item]:
        """The items of `shown` with the reader's states. Those of all stories of the ranking are
        read together, unless `read_items` was called for a part of them."""
        if self._items is None:
            read_items(self._page)
        return self._items or []

    @property
    def lead(self) -> Item:
        return self.items[0]

    @property
    def lead_id(self) -> int:
        return self.shown[0].pk

    @property
    def title(self) -> str:
        return headline_for(self.story, self.lead)

    @property
    def other_sources(self) -> int:
        return self.source_count - 1

    @property
    def is_saved(self) -> bool:
        """Whether the reader saved any article of it."""
        return any(member.is_saved for member in self.members)

    @property
    def score(self) -> float:
        return self._entry.score

    @property
    def topics(self) -> tuple[str, ...]:
        return self._entry.topics

    @property
    def terms(self) -> dict[str, float]:
        """The values of the ranking terms."""
        return dict(zip((term.name for term in terms.TERMS), self._entry.values, strict=True))

    @property
    def why(self) -> str:
        """What explains the score."""
        entry = self._entry
        facts = Facts(
            sources=entry.sources,
            age=entry.age,
            topics=entry.topics,
            weight=entry.weight,
            lead_source=entry.lead_source,
            story=entry.story,
            lead=entry.lead,
            entropy=entry.entropy,
        )
        reasons = explain(facts, self._reader, self.terms)
        return f"{DIFFERENT} · {reasons}" if self.is_odd else reasons

    @property
    def newest_at(self) -> datetime:
        return id_time(self._entry.newest)

    @property
    def first_at(self) -> datetime:
        return id_time(self.members[0].pk)

    @property
    def dots(self) -> list[Dot]:
        """At most MAX_DOTS articles, spread over the story's life."""
        chosen = spread(self.members, MAX_DOTS)
        return [Dot(id_time(m.pk), m.source_id, m.copy_of is not None) for m in chosen]


def ranked_stories(
    user: User,
    *,
    topic: str = "",
    folder_id: int | None = None,
    now: datetime | None = None,
    most: int = MAX_STORIES,
) -> list[RankedStory]:
    """Return up to `most` of the reader's stories of the last days, best first."""
    return read_items(rank_stories(user, topic, folder_id, now or timezone.now(), most))


def rank_stories(
    user: User,
    topic: str,
    folder_id: int | None,
    now: datetime,
    most: int,
    followed: Mapping[int, Followed] | None = None,
    news: News | None = None,
) -> list[RankedStory]:
    """Return the ranked stories, whose items are not read yet."""
    followed = followed_sources(user) if followed is None else followed
    if folder_id is not None:
        followed = within(user, followed, folder_id)
    if not followed:
        return []
    news = news or news_for(user)
    taste = taste_of(user, now, news.cache_version)
    articles = recent_articles(followed, taste.hidden, now, news)
    if not len(articles.ids):
        return []
    trust = {pk: source.weight for pk, source in followed.items()}
    levels = {pk: s.level for pk, s in followed.items() if s.level != "normal"}
    seconds = now.timestamp()
    reader = taste.reader(user.interests, levels)
    learned = learned_from(taste, seconds)

    def rank() -> list[_Entry]:
        columns, names = articles[:-1], articles.names
        scored = score_all(columns, names, reader, trust, seconds, topic=topic, learned=learned)
        return _make_entries(scored, articles, trust, seconds, scored.best(most))

    wanted, version = (topic, most, int(seconds / FRESH)), news.cache_version
    inputs = (user.pk, version, user.interests, reader.followed, levels, trust, wanted)
    entries = _ranked_once(_digest(articles, inputs), rank)
    return _read(user, followed, entries, reader)


def _ranked_once(key: str, rank: Callable[[], list[_Entry]]) -> list[_Entry]:
    """The ranking of `key` from the cache of this process, or what `rank` returns."""
    entries = _rankings.get(key)
    if entries is None:
        for old in list(_rankings)[: max(0, len(_rankings) + 1 - MAX_RANKINGS)]:
            _rankings.pop(old, None)
        entries = _rankings[key] = rank()
    return entries


def _digest(articles: Articles, inputs: tuple[object, ...]) -> str:
    """A hash of all that a ranking depends on, so that a cached one is never an old one."""
    digest = blake2b(repr((inputs, articles.names)).encode(), digest_size=16)
    for column in articles[:-1]:
        digest.update(column.tobytes())
    return digest.hexdigest()


def _make_entries(
    scored: Scored,
    articles: Articles,
    trust: Mapping[int, float],
    seconds: float,
    chosen: Sequence[int],
) -> list[_Entry]:
    """Make the entries of the stories at the places `chosen`. `seconds` is now, since
    1970."""
    import numpy as np

    table, places = scored.table, np.array(chosen, np.int64)
    leads = table.lead[places]
    lead_sources = articles.sources[leads].tolist()
    lines = [table.articles_of(place) for place in chosen]
    values = [column[places].tolist() for column in scored.terms.values()]
    columns = zip(
        table.stories[places].tolist(),
        table.sources[places].tolist(),
        [_topics(articles, own) for own in lines],
        scored.scores[places].tolist(),
        zip(*values, strict=True),
        table.newest[places].tolist(),
        map(len, lines),
        table.ages(seconds)[places].tolist(),
        [trust[source] for source in lead_sources],
        lead_sources,
        articles.ids[leads].tolist(),
        table.entropy[places].tolist(),
        strict=True,
    )
    return [_Entry(*row) for row in columns]


def _topics(articles: Articles, lines: Sequence[int]) -> tuple[str, ...]:
    """The most frequent topics of the articles at `lines`."""
    lists = [articles.names[kind] for kind in articles.kinds[lines].tolist()]
    counts = Counter(topic for topics in lists for topic in topics)
    if len(lists) == 1:
        return tuple(counts)[:MAX_TOPICS]
    return tuple(name for name, _ in counts.most_common(MAX_TOPICS))


def _read(
    user: User, followed: Collection[int], entries: Sequence[_Entry], reader: Reader
) -> list[RankedStory]:
    """Read all members of the ranked stories in narrow rows. Makes at most four queries."""
    if not entries:
        return []
    stories = _heads([entry.story for entry in entries])
    members = _members(user, followed, stories.values())
    read_at = last_read(user, stories.values())
    ranked: list[RankedStory] = []
    for entry in entries:
        story, own = stories.get(entry.story), members.get(entry.story)
        if story and own:  # a story may have lost its items to a regrouping meanwhile
            is_unread_now = is_unread(own, read_at.get(story.pk))
            ranked.append(_make(entry, reader, story, own, is_unread_now, ranked))
    return ranked


def _heads(pks: Sequence[int]) -> dict[int, _Head]:
    columns = "id, title, lead_id, first_at, item_count, title_pinned"
    is_ranked, values = among("id", pks)
    rows = fetch(f"SELECT {columns} FROM feeds_story WHERE {is_ranked}", values)  # noqa: S608 - no input
    return {
        pk: _Head(pk, title, lead, moment(first_at), count, bool(pinned))
        for pk, title, lead, first_at, count, pinned in rows
    }


def read_items(stories: Sequence[RankedStory]) -> list[RankedStory]:
    """Read the items of the rows of these stories by one query. Returns the stories that have any
    left: items may have been deleted meanwhile."""
    unread = [story for story in stories if story._items is None]
    chosen = [member.pk for story in unread for member in story.shown]
    items = narrow_items(ROW_COLUMNS, ROW_SOURCE_COLUMNS, chosen)
    for story in unread:
        story._items = [apply_state(items[m.pk], m) for m in story.shown if m.pk in items]
    return [story for story in stories if story._items]


def _members(
    user: User, source_ids: Collection[int], stories: Collection[StoryHead]
) -> dict[int, list[Member]]:
    """{story: its items of these sources that the reader did not hide, in order of time}"""
    visible = members_of(user, stories)
    own = [member for member in visible if member.source_id in source_ids and not member.is_hidden]
    settle_copies(own, partial(Item.objects.visible_to, user), {member.pk for member in visible})
    members: defaultdict[int, list[Member]] = defaultdict(list)
    for member in own:
        members[member.story_id].append(member)
    return members


def _choose(ordered: Sequence[Member]) -> list[Member]:
    """The first MAX_SHOWN, one of each source before further ones of the same."""
    if len(ordered) <= MAX_SHOWN:
        return list(ordered)
    firsts = {member.source_id: member.pk for member in reversed(ordered)}
    others = [member.pk for member in ordered if firsts[member.source_id] != member.pk]
    first = [member.pk for member in ordered if firsts[member.source_id] == member.pk]
    chosen = {*[*first, *others][:MAX_SHOWN]}
    return [member for member in ordered if member.pk in chosen]


def _make(
    entry: _Entry,
    reader: Reader,
    story: StoryHead,
    members: Sequence[Member],
    unread: bool,
    page: list[RankedStory],
) -> RankedStory:
    sources = len({member.source_id for member in members if member.copy_of is None})
    count = len(members)
    if story.item_count > MAX_MEMBERS:  # not all of its members were read
        sources, count = max(sources, entry.sources), max(count, entry.articles)
    return RankedStory(
        story=story,
        members=members,
        shown=_choose(lead_first(story, members)),
        unread=unread,
        source_count=sources or 1,
        coverage_count=count,
        is_followed=entry.story in reader.followed,
        is_odd=False,
        chance=1.0,
        _entry=entry,
        _reader=reader,
        _page=page,
    )
