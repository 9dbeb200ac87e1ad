"""Recompute story rows from their items: counts, times, lead and headline.

Everybody can read story rows, so they contain nothing of private items: a row is computed from
the public items of the story or, if it has none, from those of its largest audience.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from django.db import connection

from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.core.bulk import insert_rows, time_adapter, to_json
from feeds.models import Item, Story
from feeds.stories.grouping.audience import Audiences, followers_of

MAX_TOPICS = 8
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


class Article(NamedTuple):
    """The columns of an item that its story row is computed from."""

    story: int
    id: int
    seq: int
    source: int
    weight: float
    title: str
    published: datetime
    copy_of: int | None
    topics: list[str]
    is_public: bool
    has_text: bool


def refresh_stories(story_ids: Iterable[int]) -> None:
    """Recompute these stories from their items. Stories without items are not changed."""
    wanted = sorted(set(story_ids))
    for start in range(0, len(wanted), CHUNK):
        _refresh(wanted[start : start + CHUNK])
    if wanted:
        bump_revision(CONTENT)


def create_single_stories(item_ids: Iterable[int]) -> set[int]:
    """Create the rows of stories that have the id of their only item, and return these ids.

    Stories that exist are left out: they may have other items. The database copies what
    `_describe_single` would compute, as stored items have no topic twice.
    """
    wanted = sorted(item_ids)
    created: set[int] = set()
    for start in range(0, len(wanted), CHUNK):
        part = wanted[start : start + CHUNK]
        existing = Story.objects.filter(pk__in=part).values_list("pk", flat=True)
        if new := set(part).difference(existing):
            _copy_items(new)
            created |= new
    if created:
        bump_revision(CONTENT)
    return created


def _copy_items(item_ids: Iterable[int]) -> None:
    columns = ", ".join(("id", *_COLUMNS, "title_pinned"))
    numbers = ", ".join(map(str, sorted(item_ids)))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO feeds_story ({columns})"  # noqa: S608 - constant names, and numbers
            " SELECT id, title, id, published_at, published_at, 1, 1, 0, topics, seq, false"
            f" FROM feeds_item WHERE id IN ({numbers})"
        )


def _refresh(story_ids: Sequence[int]) -> None:
    names = ("pk", "title_pinned", *_COLUMNS)
    existing = {
        row[0]: row[1:] for row in Story.objects.filter(pk__in=story_ids).values_list(*names)
    }
    adapted = _row_adapter()
    rows = {story: describe(items) for story, items in _items_for_rows(story_ids).items()}
    for story, (is_pinned, title, *_) in existing.items():
        if is_pinned and story in rows:
            rows[story] = (title, *rows[story][1:])
    insert_rows(
        Story,
        ("id", *_COLUMNS, "title_pinned"),
        [(pk, *adapted(row), False) for pk, row in rows.items() if pk not in existing],
    )
    changed = {pk: row for pk, row in rows.items() if pk in existing and row != existing[pk][1:]}
    _update([(*adapted(row), pk) for pk, row in changed.items()])


def _items_for_rows(story_ids: Sequence[int]) -> dict[int, list[Article]]:
    """{story id: the items that its row is computed from}: the public ones, or else those of the
    largest audience."""
    items: defaultdict[int, list[Article]] = defaultdict(list)
    for article in _articles(story_ids):
        items[article.story].append(article)
    public = {story: [a for a in articles if a.is_public] for story, articles in items.items()}
    private = [a for story, articles in items.items() if not public[story] for a in articles]
    audiences = _audiences(private)
    return {
        story: public[story] or _of_widest(articles, audiences) for story, articles in items.items()
    }


def _audiences(private: Sequence[Article]) -> Audiences:
    sources = {article.source for article in private}
    return Audiences(sources, followers_of(sources) if len(sources) > 1 else ())


def _of_widest(items: Sequence[Article], audiences: Audiences) -> list[Article]:
    """The items of the audience with the most readers."""
    widest = max((audiences.of(article.source) for article in items), key=len)
    return [article for article in items if audiences.of(article.source) == widest]


def _articles(story_ids: Sequence[int]) -> Iterable[Article]:
    columns = ("story_id", "id", "seq", "source_id", "source__weight", "title", "published_at")
    items = Item.objects.filter(story__in=story_ids).order_by("id")
    more = ("copy_of", "topics", "source__is_public", "summary")
    for row in items.values_list(*columns, *more):
        yield Article._make((*row[:-1], bool(row[-1])))


def describe(items: Sequence[Article]) -> tuple[Any, ...]:
    """Compute the values of _COLUMNS from the items of a story. Copies count as no source."""
    if len(items) == 1:  # most stories
        return _describe_single(items[0])
    originals = [item for item in items if item.copy_of is None] or list(items)
    lead = choose_lead(originals)
    topics = Counter(topic for item in originals for topic in item.topics)
    return (
        lead.title,
        lead.id,
        min(item.published for item in items),
        max(item.published for item in items),
        len(items),
        len({item.source for item in originals}),
        len(items) - len(originals),
        [topic for topic, _ in topics.most_common(MAX_TOPICS)],
        max(item.seq for item in items),
    )


def _describe_single(item: Article) -> tuple[Any, ...]:
    """Compute what `describe` does for a story of one item, faster."""
    when, topics = item.published, list(dict.fromkeys(item.topics))[:MAX_TOPICS]
    return (item.title, item.id, when, when, 1, 1, 0, topics, item.seq)


def _row_adapter() -> Callable[[tuple[Any, ...]], tuple[Any, ...]]:
    """Return a function that converts the values of _COLUMNS for hand-written SQL."""
    adapt_time = time_adapter()

    def adapted(row: tuple[Any, ...]) -> tuple[Any, ...]:
        title, lead, first, last, *counts, topics, seq = row
        return (title, lead, adapt_time(first), adapt_time(last), *counts, to_json(topics), seq)

    return adapted


def choose_lead(items: Sequence[Article]) -> Article:
    """Choose the lead: the most trusted source, then items with a text, then the earliest."""
    return min(items, key=lambda item: (-item.weight, not item.has_text, item.published, item.id))


def _update(rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    assignments = ", ".join(f"{column} = %s" for column in _COLUMNS)
    with connection.cursor() as cursor:
        cursor.executemany(f"UPDATE feeds_story SET {assignments} WHERE id = %s", rows)  # noqa: S608 - constant names
