# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""REST API of stories."""

import json
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, NamedTuple

from django.db.models import Exists, OuterRef, Q
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from feeds.core.ids import lowest_id
from feeds.models import Item, Story
from feeds.models.narrow import fetch, marks, moment, stored
from feeds.models.story import REACH
from feeds.stories.coverage import settle_copies
from feeds.stories.grouping.refresh import MAX_TOPICS
from feeds.stories.life import Stage
from feeds.stories.members import MAX_MEMBERS
from feeds.stories.story_page import story_page
from feeds.web.api.conditional import etag_by_version
from feeds.web.api.pages import NO_CURSOR, page, page_size, read_cursor
from feeds.web.api.represent import represent
from feeds.web.api.resource import CURSOR, LIMIT, TOPIC, ReaderView, or_404, paged, parameter

LOOK_AHEAD = 500
"""So many stories are read to find those with an item of the reader's sources. Most readers have a
page of them among these; for others the database searches."""
_LATEST = (
    "SELECT y.id, CAST(y.first_at AS text), CAST(y.last_at AS text), y.item_count"
    " FROM feeds_story y"
    # Without the table it would be the text, for which PostgreSQL has no index.
    " {} ORDER BY y.last_at DESC, y.id DESC LIMIT %s"
)
_AFTER = "WHERE y.last_at < %s OR (y.last_at = %s AND y.id < %s)"
_OWN = (
    "SELECT DISTINCT i.story_id FROM feeds_item i"
    " JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " WHERE i.id >= %s AND i.story_id IN ({})"
)
_ARTICLES = (
    "SELECT i.id, i.source_id, i.title, i.copy_of, CAST(i.topics AS text), i.published_at, y.id,"
    " y.title, y.lead_id, y.first_at, y.last_at, y.item_count, y.source_count, y.copy_count,"
    " y.title_pinned FROM feeds_item i JOIN feeds_story y ON y.id = i.story_id"
    " JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL) AND i.id >= %s AND i.story_id"
)
"""The visible items of stories, with the rows of these."""


class Head(NamedTuple):
    """A story of the list before it is read. The times are text, as few of them are used."""

    pk: int
    first_at: str
    last_at: str
    item_count: int


@dataclass(slots=True)
class Article:
    """A visible item of a story."""

    pk: int
    source_id: int
    title: str
    copy_of: int | None
    topics: list[str]
    published_at: datetime


@dataclass(slots=True)
class ListedStory:
    """A story, first as its row has it and then as this reader sees it."""

    id: int
    shown_title: str
    lead_id: int | None
    shown_first: datetime
    shown_last: datetime
    item_count: int
    source_count: int
    copy_count: int
    title_pinned: bool
    topics: list[str] = field(default_factory=list)


class StorySerializer(fields.ModelSerializer[Story]):
    """A story as this reader sees it."""

    title = fields.CharField(source="shown_title")
    first_at = fields.DateTimeField(source="shown_first")
    last_at = fields.DateTimeField(source="shown_last")

    class Meta:
        model = Story
        fields = [
            "id",
            "title",
            "first_at",
            "last_at",
            "item_count",
            "source_count",
            "copy_count",
            "topics",
        ]


class CoverageSerializer(fields.Serializer[object]):
    """An article that covers a story."""

    id = fields.IntegerField()
    source = fields.IntegerField(source="source_id")  # type: ignore[assignment]
    source_title = fields.CharField(source="source.title")
    url = fields.CharField()
    title = fields.CharField()
    summary = fields.CharField()
    published_at = fields.DateTimeField()
    is_read = fields.BooleanField()
    is_saved = fields.BooleanField()


class RelatedSerializer(fields.Serializer[object]):
    """A related story, shown by its most similar article."""

    id = fields.IntegerField(source="story_id")
    title = fields.CharField()


class FullStorySerializer(fields.Serializer[object]):
    """One story with its coverage in chronological order; copies are listed separately."""

    id = fields.IntegerField(source="story.pk")
    title = fields.CharField()
    lead = fields.IntegerField(source="lead.pk")
    source_count = fields.IntegerField()
    updated_at = fields.DateTimeField()
    stage = fields.ChoiceField(choices=[stage.value for stage in Stage])
    topics = fields.ListField(child=fields.CharField())
    unread = fields.BooleanField()
    coverage = CoverageSerializer(many=True)
    copies = CoverageSerializer(many=True)
    related = RelatedSerializer(many=True)


class Stories(ReaderView):
    @extend_schema(
        operation_id="stories_list",
        summary="Stories of the reader's sources, most recently updated first",
        parameters=[
            TOPIC,
            parameter("since", OpenApiTypes.DATETIME, "covered since then (ISO 8601)"),
            CURSOR,
            LIMIT,
        ],
        responses=paged(StorySerializer),
    )
    @etag_by_version
    def get(self, request: Request) -> Response:
        size = page_size(request)
        is_filtered = request.query_params.get("topic") or request.query_params.get("since")
        chosen = None if is_filtered else self._among_latest(request, size)
        if chosen is None:
            chosen = self._search(request, size)
        following = _story_cursor(chosen[-1]) if len(chosen) == size else None
        return page(request, represent(StorySerializer, _as_seen(self.reader, chosen)), following)

    def _among_latest(self, request: Request, size: int) -> list[Head] | None:
        """The first `size` with an item of the reader's sources, if the first LOOK_AHEAD have so
        many of them; None if more must be searched."""
        after, values = "", []
        if last := _last_of(request):
            after, values = _AFTER, [stored(last[0]), stored(last[0]), last[1]]
        rows = fetch(_LATEST.format(after), [*values, LOOK_AHEAD])
        latest = [Head(*row) for row in rows]
        own = _own(self.reader, latest)
        chosen = [story for story in latest if story.pk in own][:size]
        return None if len(chosen) < size and len(latest) == LOOK_AHEAD else chosen

    def _search(self, request: Request, size: int) -> list[Head]:
        """The first `size` with an item of the reader's sources, and of the topic and the time
        wanted.

        PostgreSQL plans this query for longer than it takes, as any partition may have the item.
        """
        stories = Story.objects.order_by("-last_at", "-pk")
        if last := _last_of(request):
            before = Q(last_at__lt=last[0]) | Q(last_at=last[0], pk__lt=last[1])
            stories = stories.filter(before)
        mine = Item.objects.subscribed_by(self.reader).filter(story=OuterRef("pk"))
        if topic := request.query_params.get("topic", ""):
            mine = mine.filter(topics__icontains=f'"{topic}"')
        if since := _moment(request, "since"):
            # `last_at` covers public items only; the reader's private ones may be newer by REACH.
            stories = stories.filter(last_at__gte=since - REACH)
            mine = mine.filter(published_at__gte=since)
        rows = stories.filter(Exists(mine)).values_list("pk", "first_at", "last_at", "item_count")
        return [
            Head(pk, first.isoformat(), last.isoformat(), count)
            for pk, first, last, count in rows[:size]
        ]


def _last_of(request: Request) -> tuple[datetime, int] | None:
    """The time and the id of the last story of the page before."""
    cursor = read_cursor(request, 2)
    return (_cursor_time(cursor[0]), cursor[1]) if cursor else None


def _own(user: User, stories: Sequence[Head]) -> set[int]:
    """Those with an item of the reader's sources."""
    if not stories:
        return set()
    values = [user.pk, _lowest(stories), *(story.pk for story in stories)]
    return {pk for (pk,) in fetch(_OWN.format(marks(stories)), values)}


def _lowest(stories: Sequence[Head]) -> int:
    """The lowest id that items of these stories can have, which excludes older partitions."""
    lowest: int = lowest_id(moment(min(story.first_at for story in stories)) - REACH)
    return lowest


def _as_seen(user: User, chosen: Sequence[Head]) -> list[ListedStory]:
    """Read the stories with headline, counts, times and topics of the items that the reader can
    see. Stories without visible items are left out.

    Of a story with more than MAX_MEMBERS items only the newest are read, and its row has the
    counts. A reader who sees the lead sees all that the row counts; for another all are read.
    """
    large = {story.pk for story in chosen if story.item_count > MAX_MEMBERS}
    stories, articles = _read(user, chosen, large)
    partly = {pk for pk in large if all(a.pk != stories[pk].lead_id for a in articles.get(pk, []))}
    if partly:
        others, all_articles = _read(user, [story for story in chosen if story.pk in partly], set())
        stories, articles = stories | others, articles | all_articles
    every = [article for own in articles.values() for article in own]
    if any(article.copy_of for article in every):
        settle_copies(every, Item.objects.visible_to(user))
    shown = [stories[story.pk] for story in chosen if story.pk in stories]
    for story in shown:
        _show(story, articles[story.id], has_row_counts=story.id in large - partly)
    return shown


def _read(
    user: User, chosen: Sequence[Head], large: Collection[int]
) -> tuple[dict[int, ListedStory], dict[int, list[Article]]]:
    """Read stories and their visible items by one query: {story: row}, {story: items in order of
    time}. Of the `large` ones the newest items are read, and the lead."""
    if not chosen:
        return {}, {}
    low = _lowest(chosen)
    small = [story.pk for story in chosen if story.pk not in large]
    arms = [f"{_ARTICLES} IN ({marks(small)})"] if small else []
    values: list[Any] = [user.pk, low, *small] if small else []
    for pk in large:
        arms.append(f"SELECT * FROM ({_ARTICLES} = %s ORDER BY i.id DESC LIMIT %s) AS newest")
        values += [user.pk, low, pk, MAX_MEMBERS]
        arms.append(f"{_ARTICLES} = %s AND i.id = y.lead_id")
        values += [user.pk, low, pk]
    stories: dict[int, ListedStory] = {}
    articles: dict[int, dict[int, Article]] = {}
    topics = cache(json.loads)
    for pk, source, title, copy_of, text, at, *row in fetch(" UNION ALL ".join(arms), values):
        if row[0] not in stories:
            stories[row[0]] = _listed(*row)
        article = Article(pk, source, title, copy_of, topics(text), moment(at))
        articles.setdefault(row[0], {})[pk] = article
    return stories, {pk: [own[item] for item in sorted(own)] for pk, own in articles.items()}


def _listed(
    pk: int, title: str, lead: int | None, first: Any, last: Any, *counts: int
) -> ListedStory:
    item_count, source_count, copy_count, is_pinned = counts
    times = moment(first), moment(last)
    return ListedStory(
        pk, title, lead, *times, item_count, source_count, copy_count, bool(is_pinned)
    )


def _show(story: ListedStory, items: Sequence[Article], *, has_row_counts: bool) -> None:
    """Replace what the story's row has by what the reader sees: `items`, in order of time."""
    lead = next((item for item in items if item.pk == story.lead_id), items[0])
    story.shown_title = story.shown_title if story.title_pinned else lead.title
    topics = Counter(topic for item in items for topic in item.topics)
    story.topics = [topic for topic, _ in topics.most_common(MAX_TOPICS)]
    if has_row_counts:
        return
    story.item_count = len(items)
    story.copy_count = sum(item.copy_of is not None for item in items)
    story.source_count = len({item.source_id for item in items if item.copy_of is None}) or 1
    story.shown_first = min(item.published_at for item in items)
    story.shown_last = max(item.published_at for item in items)


class OneStory(ReaderView):
    @extend_schema(
        summary="One story with its coverage",
        description="For a merged story the response is the story it was merged into; see `id`.",
        responses=FullStorySerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        story = or_404(lambda: story_page(self.reader, pk))
        if isinstance(story, int):
            target = story
            story = or_404(lambda: story_page(self.reader, target))
        return Response(FullStorySerializer(story).data)


def _story_cursor(story: Head) -> tuple[int, int]:
    last = moment(story.last_at)
    return int(last.timestamp()) * 1_000_000 + last.microsecond, story.pk


def _cursor_time(microseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    except (ValueError, OverflowError, OSError):
        raise ValidationError({"cursor": NO_CURSOR}) from None


def _moment(request: Request, name: str) -> datetime | None:
    text = request.query_params.get(name, "")
    if not text:
        return None
    try:
        since = datetime.fromisoformat(text.replace(" ", "+"))
        return (since if since.tzinfo else since.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValidationError({name: f"{text[:40]!r} is not a date (ISO 8601)."}) from None


urlpatterns = [
    path("stories/", Stories.as_view(), name="api_stories"),
    path("stories/<int:pk>/", OneStory.as_view(), name="api_story"),
]
