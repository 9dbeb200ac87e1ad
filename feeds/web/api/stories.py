"""REST API of stories."""

import json
from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime

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
from feeds.models.narrow import fetch, marks, moment, narrow_rows
from feeds.models.story import REACH, StoryQuerySet
from feeds.stories.coverage import settle_copies
from feeds.stories.grouping.refresh import MAX_TOPICS
from feeds.stories.life import Stage
from feeds.stories.story_page import story_page
from feeds.web.api.conditional import etag_by_version
from feeds.web.api.pages import NO_CURSOR, page, page_size, read_cursor
from feeds.web.api.represent import represent
from feeds.web.api.resource import CURSOR, LIMIT, TOPIC, ReaderView, or_404, paged, parameter

LOOK_AHEAD = 500
"""So many stories are read to find those with an item of the reader's sources. Most readers have a
page of them among these; for others the database searches."""
STORY_COLUMNS = (
    *("id", "title", "lead_id", "first_at", "last_at", "item_count", "source_count"),
    *("copy_count", "topics", "title_pinned"),
)
_ARTICLES = (
    "SELECT i.id, i.story_id, i.source_id, i.title, i.copy_of, i.topics, i.published_at"
    " FROM feeds_item i JOIN feeds_source c ON c.id = i.source_id"
    " LEFT JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
    " WHERE (c.is_public OR s.id IS NOT NULL) AND i.id >= %s AND i.story_id IN ({})"
    " ORDER BY i.id"
)


@dataclass(slots=True)
class Article:
    """A visible item of a story."""

    pk: int
    story_id: int
    source_id: int
    title: str
    copy_of: int | None
    topics: list[str]
    published_at: datetime


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
        stories = self._by_time(request)
        shown = None if self._is_filtered(request) else self._among_latest(stories, size)
        if shown is None:
            shown = list(self._with_own(request, stories)[:size])
        seen = self._as_seen_by_reader(shown, _articles(self.reader, shown))
        following = _story_cursor(shown[-1]) if len(shown) == size else None
        return page(request, represent(StorySerializer, seen), following)

    def _among_latest(self, stories: StoryQuerySet, size: int) -> list[Story] | None:
        """The first `size` with an item of the reader's sources, if the first LOOK_AHEAD have so
        many of them; None if more must be searched."""
        latest = list(stories.values_list("pk", "first_at")[:LOOK_AHEAD])
        own = _own(self.reader, dict(latest))
        chosen = [pk for pk, _ in latest if pk in own][:size]
        if len(chosen) < size and len(latest) == LOOK_AHEAD:
            return None
        rows = narrow_rows(Story, STORY_COLUMNS, chosen)
        return [rows[pk] for pk in chosen if pk in rows]

    def _by_time(self, request: Request) -> StoryQuerySet:
        stories = Story.objects.order_by("-last_at", "-pk")
        if cursor := read_cursor(request, 2):
            last = _cursor_time(cursor[0])
            stories = stories.filter(Q(last_at__lt=last) | Q(last_at=last, pk__lt=cursor[1]))
        return stories

    def _is_filtered(self, request: Request) -> bool:
        return bool(request.query_params.get("topic") or request.query_params.get("since"))

    def _with_own(self, request: Request, stories: StoryQuerySet) -> StoryQuerySet:
        """Those with an item of the reader's sources, and of the topic and the time wanted.

        PostgreSQL plans this query for longer than it takes, as any partition may have the item.
        """
        mine = Item.objects.subscribed_by(self.reader).filter(story=OuterRef("pk"))
        if topic := request.query_params.get("topic", ""):
            mine = mine.filter(topics__icontains=f'"{topic}"')
        if since := _moment(request, "since"):
            # `last_at` covers public items only; the reader's private ones may be newer by REACH.
            stories = stories.filter(last_at__gte=since - REACH)
            mine = mine.filter(published_at__gte=since)
        return stories.filter(Exists(mine))

    def _as_seen_by_reader(self, stories: list[Story], articles: list[Article]) -> list[Story]:
        """Replace headline, counts, times and topics by those of the items that the reader can
        see. Stories without visible items are left out."""
        visible: dict[int, list[Article]] = {story.pk: [] for story in stories}
        wanted = [article for article in articles if article.story_id in visible]
        if any(article.copy_of for article in wanted):
            settle_copies(wanted, Item.objects.visible_to(self.reader))
        for article in wanted:
            visible[article.story_id].append(article)
        for story in stories:
            items = visible[story.pk]
            if not items:
                continue
            lead = next((item for item in items if item.pk == story.lead_id), items[0])
            story.shown_title = story.title if story.title_pinned else lead.title  # type: ignore[attr-defined]
            story.item_count = len(items)
            story.copy_count = sum(item.copy_of is not None for item in items)
            story.source_count = len({i.source_id for i in items if i.copy_of is None}) or 1
            story.shown_first = min(item.published_at for item in items)  # type: ignore[attr-defined]
            story.shown_last = max(item.published_at for item in items)  # type: ignore[attr-defined]
            topics = Counter(topic for item in items for topic in item.topics)
            story.topics = [topic for topic, _ in topics.most_common(MAX_TOPICS)]
        return [story for story in stories if visible[story.pk]]


def _own(user: User, stories: dict[int, datetime]) -> set[int]:
    """Those of {story: its first time} with an item of the reader's sources."""
    if not stories:
        return set()
    query = (
        "SELECT DISTINCT i.story_id FROM feeds_item i"
        " JOIN feeds_subscription s ON s.source_id = i.source_id AND s.user_id = %s"
        " WHERE i.id >= %s AND i.story_id IN ({})"
    )
    values = [user.pk, lowest_id(min(stories.values()) - REACH), *stories]
    return {pk for (pk,) in fetch(query.format(marks(stories)), values)}


def _articles(user: User, stories: list[Story]) -> list[Article]:
    """The visible items of these stories, in order of time."""
    if not stories:
        return []
    lowest = lowest_id(min(story.first_at for story in stories) - REACH)
    values = [user.pk, lowest, *(story.pk for story in stories)]
    rows = fetch(_ARTICLES.format(marks(stories)), values)
    topics = {text: json.loads(text) for text in {row[5] for row in rows}}
    return [
        Article(pk, story, source, title, copy_of, topics[text], moment(at))
        for pk, story, source, title, copy_of, text, at in rows
    ]


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


def _story_cursor(story: Story) -> tuple[int, int]:
    moment = story.last_at
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond, story.pk


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
        moment = datetime.fromisoformat(text.replace(" ", "+"))
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValidationError({name: f"{text[:40]!r} is not a date (ISO 8601)."}) from None


urlpatterns = [
    path("stories/", Stories.as_view(), name="api_stories"),
    path("stories/<int:pk>/", OneStory.as_view(), name="api_story"),
]
