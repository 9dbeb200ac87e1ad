"""The page of one term: its stories of the last 30 days, as one reader sees them."""

import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from accounts.models import User
from feeds.core.ids import id_time, lowest_id
from feeds.models import Item, Source, Story, TermDay
from feeds.stories.coverage import headline_for, lead_first
from feeds.trends.describe import label_of
from feeds.trends.types import DISPLAYED, SPARKLINE, stage_of

MAX_STORIES = 50


@dataclass(frozen=True, slots=True)
class Coverage:
    """A story that names the term, as the reader sees it."""

    story_id: int
    title: str
    lead: Item
    sources: int
    newest_at: datetime


@dataclass(frozen=True, slots=True)
class TermPage:
    """A term as its page shows it.

    `sparkline` are the stories per day of the last 30 days, today last. `week` is their number in
    the last 7 days, `before` in the 7 days before, `total` in all. `stories` are the newest, newest
    first. `stage` is "" if the term was not mentioned in the last week.
    """

    key: str
    label: str
    stage: str
    week: int
    before: int
    total: int
    sparkline: tuple[int, ...]
    stories: list[Coverage]


def term_page(user: User, key: str, now: datetime) -> TermPage | None:
    """Return the page of a term, or None if the reader can see no story on it. Makes five
    queries."""
    by_day = _stories_by_day(user, key, now)
    shown = sorted({story for stories in by_day.values() for story in stories}, reverse=True)
    stories = _stories(user, shown[:MAX_STORIES], now)
    if not stories:
        return None
    days = tuple(len(by_day.get(day, ())) for day in range(SPARKLINE))
    earlier = days[:-DISPLAYED]
    return TermPage(
        key=key,
        label=label_of(key, [story.title for story in stories]),
        stage=stage_of(days[-8:], sum(earlier) / len(earlier)) if sum(days[-DISPLAYED:]) else "",
        week=sum(days[-DISPLAYED:]),
        before=sum(days[-2 * DISPLAYED : -DISPLAYED]),
        total=len(shown),
        sparkline=days,
        stories=stories,
    )


def _stories_by_day(user: User, key: str, now: datetime) -> Mapping[int, set[int]]:
    """{day: ids of stories by sources that the reader can see}; day 0 is the oldest of 30."""
    visible = set(Source.objects.visible_to(user).values_list("pk", flat=True))
    first = now.astimezone(UTC).date() - timedelta(days=SPARKLINE - 1)
    rows = TermDay.objects.filter(term=key, day__gte=first)
    by_day: defaultdict[int, set[int]] = defaultdict(set)
    for day, stories in rows.values_list("day", "stories"):
        for story, *sources in json.loads(stories):
            if visible & {abs(source) for source in sources}:
                by_day[(day - first).days].add(story)
    return by_day


def _stories(user: User, ids: list[int], now: datetime) -> list[Coverage]:
    """The stories that still exist. Merged stories are counted under their new id."""
    first = lowest_id(now - timedelta(days=SPARKLINE + DISPLAYED))
    stories = Story.objects.in_bulk(ids)
    items: defaultdict[int, list[Item]] = defaultdict(list)
    rows = Item.objects.visible_to(user).filter(story__in=list(stories), pk__gte=first)
    for item in rows.select_related("source").order_by("pk"):
        items[item.story_id or 0].append(item)
    return [_describe(stories[pk], items[pk]) for pk in ids if items.get(pk)]


def _describe(story: Story, items: list[Item]) -> Coverage:
    ordered = lead_first(story, items)
    originals = Counter(item.source_id for item in items if item.copy_of is None)
    lead = ordered[0]
    title = headline_for(story, lead)
    return Coverage(
        story.pk, title, lead, len(originals) or 1, id_time(max(item.pk for item in items))
    )
