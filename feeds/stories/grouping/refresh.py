"""Bring story rows in line with their items: counts, times, lead and headline."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from feeds.coordination.revisions import CONTENT, revise
from feeds.core.bulk import adapt_time, insert_rows, to_json
from feeds.models import Item, Story

MOST_TOPICS = 8
CHUNK = 500
_COLUMNS = (
    "title",
    "lead_id",
    "first_at",
    "last_at",
    "item_count",
    "source_count",
    "copy_count",
    "topics",
    "last_seq",
)


class Telling(NamedTuple):
    """What a story needs to know of an item."""

    story: int
    id: int
    seq: int
    source: int
    weight: float
    title: str
    published: datetime
    copy_of: int | None
    topics: list[str]
    has_text: bool


def refresh_stories(story_ids: Iterable[int]) -> None:
    """Recompute these stories from their items; those without items are left as they are."""
    wanted = sorted(set(story_ids))
    for start in range(0, len(wanted), CHUNK):
        _refresh(wanted[start : start + CHUNK])
    if wanted:
        revise(CONTENT)


def _refresh(story_ids: Sequence[int]) -> None:
    tellings: defaultdict[int, list[Telling]] = defaultdict(list)
    for telling in _tellings(story_ids):
        tellings[telling.story].append(telling)
    names = ("pk", "title", "title_pinned")
    existing = {row[0]: row for row in Story.objects.filter(pk__in=tellings).values_list(*names)}
    rows = {story: describe(items) for story, items in tellings.items()}
    for story, (_, title, pinned) in existing.items():
        if pinned:
            rows[story] = (title, *rows[story][1:])
    insert_rows(
        Story,
        ("id", *_COLUMNS, "title_pinned"),
        [(pk, *row, False) for pk, row in rows.items() if pk not in existing],
    )
    _update([(*row, pk) for pk, row in rows.items() if pk in existing])


def _tellings(story_ids: Sequence[int]) -> Iterable[Telling]:
    columns = ("story_id", "id", "seq", "source_id", "source__weight", "title", "published_at")
    items = Item.objects.filter(story__in=story_ids).order_by("id")
    for row in items.values_list(*columns, "copy_of", "topics", "summary"):
        yield Telling._make((*row[:-1], bool(row[-1])))


def describe(items: Sequence[Telling]) -> tuple[Any, ...]:
    """The values of a story's columns. A copy is no source of its own."""
    originals = [item for item in items if item.copy_of is None] or list(items)
    lead = choose_lead(originals)
    topics = Counter(topic for item in originals for topic in item.topics)
    return (
        lead.title,
        lead.id,
        adapt_time(min(item.published for item in items)),
        adapt_time(max(item.published for item in items)),
        len(items),
        len({item.source for item in originals}),
        len(items) - len(originals),
        to_json([topic for topic, _ in topics.most_common(MOST_TOPICS)]),
        max(item.seq for item in items),
    )


def choose_lead(items: Sequence[Telling]) -> Telling:
    """Who tells it best: the most trusted source that has a text, then the first to tell."""
    return min(items, key=lambda item: (-item.weight, not item.has_text, item.published, item.id))


def _update(rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    assignments = ", ".join(f"{column} = %s" for column in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE feeds_story SET {assignments} WHERE id = %s", rows)  # noqa: S608 - our own names
