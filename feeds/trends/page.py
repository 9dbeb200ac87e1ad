"""What the pages of trends show: the list with what a reader follows, and one term's stories."""

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
    """`sparkline` is stories a day of the last 30, today's last; `stories` the newest first."""

    key: str
    label: str
    stage: str
    week: int
    before: int
    total: int
    sparkline: tuple[int, ...]
    stories: list[Coverage]


def term_page(user: User, key: str, now: datetime) -> TermPage | None:
    """The stories of the last 30 days whose titles name the term; None where the reader may
    see none. Five queries."""
    told = _told(user, key, now)
    shown = sorted({story for stories in told.values() for story in stories}, reverse=True)
    stories = _stories(user, shown[:MAX_STORIES], now)
    if not stories:
        return None
    days = tuple(len(told.get(day, ())) for day in range(SPARKLINE))
    earlier = days[:-DISPLAYED]
    return TermPage(
        key=key,
        label=label_of(key, [one.title for one in stories]),
        stage=stage_of(days[-8:], sum(earlier) / len(earlier)) if sum(days[-DISPLAYED:]) else "",
        week=sum(days[-DISPLAYED:]),
        before=sum(days[-2 * DISPLAYED : -DISPLAYED]),
        total=len(shown),
        sparkline=days,
        stories=stories,
    )


def _told(user: User, key: str, now: datetime) -> Mapping[int, set[int]]:
    """{day, 0 the oldest of the last 30: stories told by sources that the reader may see}."""
    visible = set(Source.objects.visible_to(user).values_list("pk", flat=True))
    first = now.astimezone(UTC).date() - timedelta(days=SPARKLINE - 1)
    rows = TermDay.objects.filter(term=key, day__gte=first)
    found: defaultdict[int, set[int]] = defaultdict(set)
    for day, stories in rows.values_list("day", "stories"):
        for story, *sources in json.loads(stories):
            if visible & {abs(source) for source in sources}:
                found[(day - first).days].add(story)
    return found


def _stories(user: User, ids: list[int], now: datetime) -> list[Coverage]:
    """Those that are still there; a story that was merged shows up under its new id."""
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
        story.pk, title, lead, len(originals) or 1, id_time(max(one.pk for one in items))
    )
