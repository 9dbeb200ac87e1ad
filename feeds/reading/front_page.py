"""The front page: one reader's stories, ranked and in sections. The API shows the same."""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from hashlib import blake2b
from typing import NamedTuple

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.memo import cached
from ainews_site.infra.timezones import zone_named
from feeds.core.ids import id_time
from feeds.models import Item, Story, Subscription
from feeds.models.narrow import ITEM_COLUMNS, SOURCE_COLUMNS, narrow_items, narrow_rows
from feeds.reading.feedback import log_impression
from feeds.reading.sources import folders_below
from feeds.stories.coverage import headline_for, is_unread, lead_first, settle_copies
from feeds.stories.members import (
    MAX_DOTS,
    MAX_MEMBERS,
    Member,
    apply_state,
    last_read,
    members_of,
    spread,
)
from feeds.stories.ranking.candidates import Articles, recent_articles
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify, exploration_item
from feeds.stories.ranking.rank import explain
from feeds.stories.ranking.scoring import Scored, score_all
from feeds.stories.ranking.taste import taste_of
from feeds.stories.ranking.traits import learned_from
from feeds.stories.story_page import StoryPage, story_page

__all__ = [
    "Dot",
    "RankedStory",
    "Section",
    "StoryPage",
    "front_page_sections",
    "impression_of",
    "log_page",
    "ranked_stories",
    "story_page",
]

FRESH = 60
"""Seconds for which a ranking of the same articles for the same taste is used again: stories age
slowly."""
MAX_STORIES = 100
MAX_TOP = 10
TOP_HOURS = 36
MIN_FOR_TOP = 12
"""With fewer stories there is no section of top stories, because it would be most of the page."""
MAX_TOPICS = 4
MAX_SHOWN = 6
"""Items of a story whose rows are read: the lead, and the first of other sources."""
STORY_COLUMNS = (
    *("id", "title", "lead_id", "first_at", "last_at", "item_count", "source_count"),
    *("copy_count", "last_seq", "title_pinned"),
)
DIFFERENT = "something different"
TOP, FOLLOWED = "Top stories", "Stories you follow"


class _Entry(NamedTuple):
    """A ranked story before its rows are read, in plain values, which are cached.

    `newest` is the id of its newest original, `articles` the number of those that were ranked.
    """

    story: int
    sources: int
    topics: tuple[str, ...]
    why: str
    score: float
    terms: tuple[tuple[str, float], ...]
    newest: int
    articles: int
    is_followed: bool


class Dot(NamedTuple):
    """An article on the coverage strip of a story."""

    published_at: datetime
    source_id: int
    is_copy: bool


@dataclass
class RankedStory:
    """A story with its first items by the reader's sources: the lead first, copies last.

    `items` are at most MAX_SHOWN, the counts are of all. `dots` are at most MAX_DOTS articles,
    spread over the story's life. `terms` are the values of the ranking terms, `why` explains the
    score.
    """

    story: Story
    items: list[Item]
    score: float
    terms: Mapping[str, float]
    why: str
    topics: tuple[str, ...]
    newest_at: datetime
    first_at: datetime
    source_count: int
    """Sources that cover the story. Copies do not count."""
    coverage_count: int
    """Articles, with copies."""
    unread: bool
    dots: list[Dot]
    is_followed: bool = False
    is_odd: bool = False
    """Whether it was drawn to explore."""
    chance: float = 1.0
    """The probability with which it was drawn."""

    @property
    def lead(self) -> Item:
        return self.items[0]

    @property
    def title(self) -> str:
        return headline_for(self.story, self.lead)

    @property
    def other_sources(self) -> int:
        return self.source_count - 1


@dataclass(slots=True)
class Section:
    title: str
    stories: list[RankedStory] = field(default_factory=list)


def front_page_sections(
    user: User, *, topic: str = "", folder_id: int | None = None, now: datetime | None = None
) -> list[Section]:
    """Return the sections of the front page: unread followed stories, top stories, then by day.

    Makes at most fourteen queries. Muted topics are left out unless `topic` is one of them; hidden
    items are always left out.
    """
    now = now or timezone.now()
    zone = zone_named(user.time_zone)
    today = now.astimezone(zone).date()
    ranked = ranked_stories(user, topic=topic, folder_id=folder_id, now=now)
    followed = [story for story in ranked if story.is_followed and story.unread]
    others = [story for story in ranked if story not in followed]
    top = [] if topic else _top(others, user, now, today)
    above = {shown.story.pk for shown in (*followed, *top)}
    days = [Section("Today"), Section("Yesterday"), Section("Earlier")]
    for ranked_story in ranked:
        if ranked_story.story.pk not in above:
            age = (today - ranked_story.newest_at.astimezone(zone).date()).days
            days[min(max(age, 0), 2)].stories.append(ranked_story)
    sections = (Section(FOLLOWED, followed), Section(TOP, top), *days)
    return [section for section in sections if section.stories]


def ranked_stories(
    user: User,
    *,
    topic: str = "",
    folder_id: int | None = None,
    now: datetime | None = None,
    most: int = MAX_STORIES,
) -> list[RankedStory]:
    """Return up to `most` of the reader's stories of the last days, best first."""
    now = now or timezone.now()
    trust, levels = _followed(user, folder_id)
    if not trust:
        return []
    articles = recent_articles(user, trust, now)
    if not len(articles.ids):
        return []
    taste, moment = taste_of(user, now), now.timestamp()
    reader = taste.reader(user.interests, levels)
    learned = learned_from(taste, moment)

    def rank() -> list[tuple[object, ...]]:
        columns, names = articles[:-1], articles.names
        scored = score_all(columns, names, reader, trust, moment, topic=topic, learned=learned)
        best = scored.best(most)
        return list(map(tuple, _make_entries(scored, articles, trust, moment, best, reader)))

    wanted = (topic, most, int(moment / FRESH))
    inputs = (user.pk, user.version, user.interests, reader.followed, levels, trust, wanted)
    rows = cached(f"ranked-{_digest(articles, inputs)}", rank, fresh=FRESH, stale_for=FRESH)
    entries = [_Entry(*row) for row in rows]  # type: ignore[arg-type]
    return _read(user, trust, entries)


def _digest(articles: Articles, inputs: tuple[object, ...]) -> str:
    """A hash of all that a ranking depends on, so that a cached one is never an old one."""
    digest = blake2b(repr((inputs, articles.names)).encode(), digest_size=16)
    for column in articles[:-1]:
        digest.update(column.tobytes())
    return digest.hexdigest()


def _followed(user: User, folder_id: int | None) -> tuple[dict[int, float], dict[int, str]]:
    """Return ({source id: the curator's trust}, {source id: the reader's level}).

    The first has the sources that the reader follows, in this folder and its subfolders; the
    second those with a level other than "normal".
    """
    followed = Subscription.objects.filter(user=user)
    if folder_id is not None:
        followed = followed.filter(folder__in=folders_below(user, folder_id))
    rows = list(followed.values_list("source_id", "source__weight", "level"))
    trust = {source: weight for source, weight, _ in rows}
    return trust, {source: level for source, _, level in rows if level != "normal"}


def _make_entries(
    scored: Scored,
    articles: Articles,
    trust: Mapping[int, float],
    moment: float,
    places: Sequence[int],
    reader: Reader,
) -> list[_Entry]:
    """Make the entries of the stories at `places`. `moment` is now in seconds since 1970."""
    table = scored.table
    ages = table.ages(moment)
    entries = []
    for place in places:
        source = int(articles.sources[table.lead[place]])
        lines = table.articles_of(place)
        counts = Counter(topic for line in lines for topic in articles.names[articles.kinds[line]])
        facts = Facts(
            sources=int(table.sources[place]),
            age=float(ages[place]),
            topics=tuple(name for name, _ in counts.most_common(MAX_TOPICS)),
            weight=trust[source],
            lead_source=source,
            story=int(table.stories[place]),
            lead=int(articles.ids[table.lead[place]]),
            entropy=float(table.entropy[place]),
        )
        terms = {name: float(values[place]) for name, values in scored.terms.items()}
        entry = _Entry(
            story=facts.story,
            sources=facts.sources,
            topics=facts.topics,
            why=explain(facts, reader, terms),
            score=float(scored.scores[place]),
            terms=tuple(terms.items()),
            newest=int(table.newest[place]),
            articles=len(lines),
            is_followed=facts.story in reader.followed,
        )
        entries.append(entry)
    return entries


def _read(user: User, source_ids: Collection[int], entries: Sequence[_Entry]) -> list[RankedStory]:
    """Read the rows of the ranked stories: all members in narrow rows, and the items that are
    shown. Makes at most five queries."""
    stories = narrow_rows(Story, STORY_COLUMNS, (entry.story for entry in entries))
    members = _members(user, source_ids, stories.values())
    read_at = last_read(user, stories.values())
    shown = {pk: _choose(lead_first(stories[pk], own)) for pk, own in members.items()}
    chosen = [member.pk for own in shown.values() for member in own]
    items = narrow_items(ITEM_COLUMNS, SOURCE_COLUMNS, chosen)
    ranked = []
    for entry in entries:
        pk = entry.story
        # A story may have lost its items to a regrouping meanwhile.
        own = [apply_state(items[m.pk], m) for m in shown.get(pk, ()) if m.pk in items]
        if own:
            unread = is_unread(members[pk], read_at.get(pk))
            ranked.append(_ranked(entry, stories[pk], own, members[pk], unread))
    return ranked


def _members(
    user: User, source_ids: Collection[int], stories: Collection[Story]
) -> dict[int, list[Member]]:
    """{story: its items of these sources that the reader did not hide, in order of time}"""
    visible = members_of(user, stories)
    own = [member for member in visible if member.source_id in source_ids and not member.is_hidden]
    settle_copies(own, Item.objects.visible_to(user), {member.pk for member in visible})
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


def _ranked(
    entry: _Entry,
    story: Story,
    items: list[Item],
    members: Sequence[Member],
    unread: bool,
) -> RankedStory:
    sources = len({member.source_id for member in members if member.copy_of is None})
    count = len(members)
    if story.item_count > MAX_MEMBERS:  # not all of its members were read
        sources, count = max(sources, entry.sources), max(count, entry.articles)
    return RankedStory(
        story=story,
        items=items,
        score=entry.score,
        terms=dict(entry.terms),
        why=entry.why,
        topics=entry.topics,
        newest_at=id_time(entry.newest),
        first_at=id_time(members[0].pk),
        source_count=sources or 1,
        coverage_count=count,
        unread=unread,
        dots=_dots(members),
        is_followed=entry.is_followed,
    )


def _dots(members: Sequence[Member]) -> list[Dot]:
    """Dots of at most MAX_DOTS members, from the first to the last."""
    chosen = spread(members, MAX_DOTS)
    return [Dot(id_time(m.pk), m.source_id, m.copy_of is not None) for m in chosen]


def _top(
    ranked: Sequence[RankedStory], user: User, now: datetime, today: date
) -> list[RankedStory]:
    """Choose diverse top stories of the last hours. If there are MAX_TOP, the last one is drawn to
    explore."""
    if len(ranked) < MIN_FOR_TOP:
        return []
    recent = (story for story in ranked if now - story.newest_at <= timedelta(hours=TOP_HOURS))
    by_id = {story.story.pk: story for story in recent}
    candidates = [
        Candidate(pk, story.score, story.topics, story.lead.source_id)
        for pk, story in by_id.items()
    ]
    most = min(MAX_TOP, len(ranked) // 2)
    chosen = diversify(candidates, most)
    odd, chance = exploration_item(candidates, chosen[:-1], user.pk, today)
    if odd is not None and most == MAX_TOP:
        chosen = [*chosen[: MAX_TOP - 1], odd]
        by_id[odd].why = f"{DIFFERENT} · {by_id[odd].why}"
        by_id[odd].is_odd, by_id[odd].chance = True, chance
    return [by_id[pk] for pk in chosen]


def log_page(user: User, sections: Sequence[Section], now: datetime | None = None) -> None:
    """Record the impression of a page."""
    impression_of(user, sections, now)()


def impression_of(
    user: User, sections: Sequence[Section], now: datetime | None = None
) -> Callable[[], None]:
    """Return a function that records the impression, for deferred writes. It holds only ids, so
    that the rows of the page can be freed."""
    stories = [story for section in sections for story in section.stories]
    odd = next((story for story in stories if story.is_odd), None)
    return partial(
        log_impression,
        user,
        [(story.story.pk, story.lead.pk) for story in stories],
        now or timezone.now(),
        odd=odd.story.pk if odd else None,
        propensity=odd.chance if odd else 1.0,
    )
