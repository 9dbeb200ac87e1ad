"""What the ranking has learned of a reader, for their page and their export."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from accounts.models import User
from feeds.core.topics import LABELS
from feeds.models import FollowedStory, Item
from feeds.models.narrow import among, fetch
from feeds.stories.coverage import headline_for
from feeds.stories.ranking.taste import DISLIKED, SAVED, Act, acts_of, read_states, taste_of

MAX_LISTED = 50
MAX_TOPICS = 12
UNSEEN = "From a source you can no longer see"
_ITEMS = (
    "SELECT i.id, i.source_id, i.topics, i.title, i.url, COALESCE(NULLIF(c.title, ''), c.url),"
    " c.is_public FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id WHERE {}"
)
_SUBSCRIPTIONS = (
    "SELECT s.source_id, s.title, c.title, c.url, s.level FROM feeds_subscription s"
    " JOIN feeds_source c ON c.id = s.source_id WHERE s.user_id = %s"
)

_FOLLOWS_ANY = "SELECT 1 FROM feeds_followedstory WHERE user_id = %s LIMIT 1"


@dataclass(frozen=True, slots=True)
class KnownSource:
    """A source of which something was learned. `shown` and `opened` count its items since the
    first act that counts."""

    id: int
    title: str
    level: str
    shown: int
    opened: int


@dataclass(frozen=True, slots=True)
class KnownItem:
    """An item that the reader acted on. `word` is the act, such as "saved". `source` and `url` are
    "" if the reader can no longer see it."""

    id: int
    title: str
    source: str
    url: str
    word: str
    at: datetime

    @property
    def is_liked(self) -> bool:
        return self.word in ("opened", "saved")


@dataclass(frozen=True, slots=True)
class KnownStory:
    """A followed story, with a headline that the reader can see."""

    id: int
    title: str
    since: datetime


@dataclass(frozen=True, slots=True)
class KnownTaste:
    """All that was learned.

    `topics` are the declared {slug: level}; `learned` are the topics of opened and saved items with
    their counts; `acts` is the number of acts that count, and `items` has the newest of them.
    """

    topics: dict[str, str]
    learned: list[tuple[str, int]]
    sources: list[KnownSource]
    items: list[KnownItem]
    followed: list[KnownStory]
    acts: int
    views: int


def known_taste(user: User, now: datetime, most: int = MAX_LISTED) -> KnownTaste:
    """Collect what was learned, in a constant number of queries."""
    states = read_states(user, now)
    items = _items_of([row[0] for row in states])
    acts = acts_of(states, {pk: item.source_id for pk, item in items.items()})
    subscriptions = fetch(_SUBSCRIPTIONS, [user.pk])
    own = {source for source, *_ in subscriptions}
    visible = {pk: item for pk, item in items.items() if item.is_public or item.source_id in own}
    liked = Counter(
        topic
        for act in acts
        if act.weight > 0 and act.item in visible
        for topic in json.loads(visible[act.item].topics)
    )
    return KnownTaste(
        topics={slug: level for slug, level in user.interests.items() if slug in LABELS},
        learned=[(slug, n) for slug, n in liked.most_common() if slug in LABELS][:MAX_TOPICS],
        sources=_sources(subscriptions, acts, taste_of(user, now).views),
        items=[_known(act, visible.get(act.item)) for act in acts[:most]],
        followed=_followed(user),
        acts=len(acts),
        views=page_views(user),
    )


def page_views(user: User) -> int:
    """How many page views of the reader are stored."""
    [(count,)] = fetch("SELECT count(*) FROM feeds_impression WHERE user_id = %s", [user.pk])
    return int(count)


class _Item(NamedTuple):
    """An item that the reader acted on. `topics` is JSON."""

    pk: int
    source_id: int
    topics: str
    title: str
    url: str
    source: str
    is_public: bool


def _items_of(ids: list[int]) -> dict[int, _Item]:
    if not ids:
        return {}
    is_marked, values = among("i.id", ids)
    rows = fetch(_ITEMS.format(is_marked), values)
    return {row[0]: _Item(*row) for row in rows}


def _known(act: Act, item: _Item | None) -> KnownItem:
    at, word = datetime.fromtimestamp(act.at, UTC), act_in_words(act.weight)
    if item is None:
        return KnownItem(act.item, UNSEEN, "", "", word, at)
    return KnownItem(item.pk, item.title, item.source, item.url, word, at)


def act_in_words(weight: float) -> str:
    if weight < 0:
        return "less like this" if weight <= -DISLIKED else "hidden"
    return "saved" if weight >= SAVED else "opened"


def _followed(user: User) -> list[KnownStory]:
    """The followed stories, newest first. If the headline comes from a hidden source, the title of
    the first visible item replaces it."""
    if not fetch(_FOLLOWS_ANY, [user.pk]):
        return []
    rows = FollowedStory.objects.filter(user=user).select_related("story").order_by("-pk")
    follows = list(rows)
    articles = Item.objects.visible_to(user).covering([row.story for row in follows])
    leads: dict[int | None, Item] = {}
    for item in articles.order_by("pk").only("pk", "story", "title"):
        if item.story_id not in leads:
            leads[item.story_id] = item
    by_lead = {row.story.lead_id: row.story_id for row in follows}
    for item in articles.filter(pk__in=[pk for pk in by_lead if pk]).only("pk", "story", "title"):
        leads[item.story_id] = item
    return [
        KnownStory(
            row.story_id,
            headline_for(row.story, leads[row.story_id]) if row.story_id in leads else UNSEEN,
            row.created_at,
        )
        for row in follows
    ]


def _sources(
    subscriptions: list[tuple[Any, ...]], acts: list[Act], shown: Mapping[int, int]
) -> list[KnownSource]:
    """The sources of which something was learned, most opened first."""
    opened = Counter(act.source for act in acts if act.weight > 0)
    known = [
        KnownSource(pk, own or title or url, level, max(shown.get(pk, 0), opened[pk]), opened[pk])
        for pk, own, title, url, level in subscriptions
        if level != "normal" or opened[pk] or shown.get(pk)
    ]
    return sorted(known, key=lambda s: (-s.opened, -s.shown, s.title.lower()))


def export_taste(user: User, now: datetime) -> dict[str, Any]:
    """The same as plain values for JSON."""
    known = known_taste(user, now, most=1_000)
    return {
        "topics": known.topics,
        "topics_learned": dict(known.learned),
        "sources": [
            {
                "id": source.id,
                "title": source.title,
                "level": source.level,
                "shown": source.shown,
                "opened": source.opened,
            }
            for source in known.sources
        ],
        "items": [
            {"id": i.id, "title": i.title, "url": i.url, "done": i.word, "at": i.at.isoformat()}
            for i in known.items
        ],
        "followed_stories": [
            {"id": story.id, "title": story.title, "since": story.since.isoformat()}
            for story in known.followed
        ],
        "views": known.views,
    }
