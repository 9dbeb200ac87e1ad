"""The stories of one reader, ranked and in sections: what the home page and the API show."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import cached_property, partial

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.timezones import zone_named
from feeds.core.ids import id_time
from feeds.models import Item, ItemState, Story, Subscription
from feeds.models.item import ItemQuerySet
from feeds.reading.feedback import log_impression
from feeds.reading.sources import folders_below
from feeds.stories.coverage import headline_for, is_unread, lead_first, settle_copies, with_state
from feeds.stories.ranking.candidates import Articles, recent_articles
from feeds.stories.ranking.data.batch import Facts
from feeds.stories.ranking.data.reader import Reader
from feeds.stories.ranking.diversify import Candidate, diversify, exploration_item
from feeds.stories.ranking.rank import Ranking, explain
from feeds.stories.ranking.scoring import Scored, score_all
from feeds.stories.ranking.taste import taste_of
from feeds.stories.ranking.traits import learned_from
from feeds.stories.story_page import StoryPage, story_page

__all__ = [
    "RankedStory",
    "Section",
    "StoryPage",
    "front_page_sections",
    "impression_of",
    "log_page",
    "ranked_stories",
    "story_page",
]

MAX_STORIES = 100
MAX_TOP = 10
TOP_HOURS = 36
MIN_FOR_TOP = 12
"""With fewer stories than that, a section of the best would be most of the page."""
MAX_TOPICS = 4
DIFFERENT = "something different"
TOP, FOLLOWED = "Top stories", "Stories you follow"


@dataclass(slots=True)
class _Entry:
    """A story as this reader sees it, before its rows are read. `newest` is the id of its newest
    telling that is no copy."""

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
    is_followed: bool = False
    is_odd: bool = False
    chance: float = 1.0
    """Drawn for something different, by that chance."""

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


def front_page_sections(
    user: User, *, topic: str = "", folder_id: int | None = None, now: datetime | None = None
) -> list[Section]:
    """What happened to the reader's sources in the last days: what is new of the stories that
    they follow, the best of the rest, then by day.

    Fourteen queries at most, whatever is shown. Muted topics are left out unless one is asked
    for by `topic`; hidden items are left out always.
    """
    now = now or timezone.now()
    zone = zone_named(user.time_zone)
    today = now.astimezone(zone).date()
    ranked = ranked_stories(user, topic=topic, folder_id=folder_id, now=now)
    followed = [one for one in ranked if one.is_followed and one.unread]
    top = [] if topic else _top([one for one in ranked if one not in followed], user, now, today)
    above = {one.story.pk for one in (*followed, *top)}
    days = [Section("Today"), Section("Yesterday"), Section("Earlier")]
    for one in ranked:
        if one.story.pk not in above:
            ago = (today - one.newest_at.astimezone(zone).date()).days
            days[min(max(ago, 0), 2)].stories.append(one)
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
    """The reader's stories of the last days, best first."""
    now = now or timezone.now()
    trust, levels = _followed(user, folder_id)
    if not trust:
        return []
    found = recent_articles(user, trust, now)
    if not len(found.ids):
        return []
    taste, moment = taste_of(user, now), now.timestamp()
    reader = taste.reader(user.interests, levels)
    scored = score_all(
        found[:-1],
        found.names,
        reader,
        trust,
        moment,
        topic=topic,
        learned=learned_from(taste, moment),
    )
    entries = _enter(scored, found, trust, moment, scored.best(most))
    return _read(user, trust, entries, reader)


def _followed(user: User, folder_id: int | None) -> tuple[dict[int, float], dict[int, str]]:
    """The trust in each source that the reader follows, in this folder and those within; and
    what the reader says of a source, where it is not as normal."""
    followed = Subscription.objects.filter(user=user)
    if folder_id is not None:
        followed = followed.filter(folder__in=folders_below(user, folder_id))
    rows = list(followed.values_list("source_id", "source__weight", "level"))
    trust = {source: weight for source, weight, _ in rows}
    return trust, {source: level for source, _, level in rows if level != "normal"}


def _shown(user: User, source_ids: Iterable[int]) -> ItemQuerySet:
    hidden = ItemState.objects.filter(user=user, is_hidden=True).values("item_id")
    return Item.objects.filter(source__in=list(source_ids)).exclude(pk__in=hidden)


def _enter(
    scored: Scored,
    found: Articles,
    trust: Mapping[int, float],
    moment: float,
    places: Sequence[int],
) -> list[_Entry]:
    """`moment` is the present in seconds since 1970."""
    table = scored.table
    ages = table.ages(moment)
    entries = []
    for place in places:
        source = int(found.sources[table.lead[place]])
        lines = table.told(place)
        told = Counter(topic for line in lines for topic in found.names[found.kinds[line]])
        facts = Facts(
            sources=int(table.sources[place]),
            age=float(ages[place]),
            topics=tuple(name for name, _ in told.most_common(MAX_TOPICS)),
            weight=trust[source],
            lead_source=source,
            story=int(table.stories[place]),
            lead=int(found.ids[table.lead[place]]),
            hot=float(table.hot[place]),
        )
        terms = {name: float(values[place]) for name, values in scored.terms.items()}
        ranking = Ranking(float(scored.scores[place]), terms)
        entries.append(_Entry(facts, ranking, int(table.newest[place])))
    return entries


def _read(
    user: User, source_ids: Iterable[int], entries: Sequence[_Entry], reader: Reader
) -> list[RankedStory]:
    """The rows of those that are shown, all coverage with them, in four queries at most."""
    stories = Story.objects.in_bulk([one.facts.story for one in entries])
    items: defaultdict[int, list[Item]] = defaultdict(list)
    coverage = with_state(_shown(user, source_ids).covering(stories.values()), user)
    told = list(coverage.prefetch_related("source").order_by("id"))
    settle_copies(told, Item.objects.visible_to(user))
    for item in told:
        items[item.story_id or 0].append(item)
    return [
        RankedStory(
            story=stories[pk],
            items=lead_first(stories[pk], items[pk]),
            score=one.ranking.score,
            terms=one.ranking.terms,
            why=explain(one.facts, reader, one.ranking.terms),
            topics=one.facts.topics,
            newest_at=id_time(one.newest),
            is_followed=pk in reader.followed,
        )
        for one in entries
        # A regrouping in between may have emptied one.
        if (pk := one.facts.story) in stories and items[pk]
    ]


def _top(
    ranked: Sequence[RankedStory], user: User, now: datetime, today: date
) -> list[RankedStory]:
    """The best of the last hours, mixed; the last of ten is something different."""
    if len(ranked) < MIN_FOR_TOP:
        return []
    by_id = {
        one.story.pk: one for one in ranked if now - one.newest_at <= timedelta(hours=TOP_HOURS)
    }
    candidates = [
        Candidate(pk, one.score, one.topics, one.lead.source_id) for pk, one in by_id.items()
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
    """Record what was shown, in its order, and by which chance the one was that is different."""
    impression_of(user, sections, now)()


def impression_of(
    user: User, sections: Sequence[Section], now: datetime | None = None
) -> Callable[[], None]:
    """The same as a write that may wait: it keeps none of the rows of the page alive."""
    stories = [one for section in sections for one in section.stories]
    odd = next((one for one in stories if one.is_odd), None)
    return partial(
        log_impression,
        user,
        [(one.story.pk, one.lead.pk) for one in stories],
        now or timezone.now(),
        odd=odd.story.pk if odd else None,
        propensity=odd.chance if odd else 1.0,
    )
