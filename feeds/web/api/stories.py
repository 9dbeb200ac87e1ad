"""REST API of stories."""

from collections import Counter
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.models import Item, Story
from feeds.models.story import REACH
from feeds.stories.coverage import settle_copies
from feeds.stories.grouping.refresh import MAX_TOPICS
from feeds.stories.life import Stage
from feeds.stories.story_page import story_page
from feeds.web.api.conditional import etag_by_version
from feeds.web.api.pages import NO_CURSOR, page, page_size, read_cursor
from feeds.web.api.resource import CURSOR, LIMIT, TOPIC, ReaderView, or_404, paged, parameter


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
        mine = Item.objects.subscribed_by(self.reader).filter(story=OuterRef("pk"))
        stories = Story.objects.select_related("lead")
        if topic := request.query_params.get("topic", ""):
            mine = mine.filter(topics__icontains=f'"{topic}"')
        if since := _moment(request, "since"):
            # `last_at` covers public items only; the reader's private ones may be newer by REACH.
            stories = stories.filter(last_at__gte=since - REACH)
            mine = mine.filter(published_at__gte=since)
        stories = stories.filter(Exists(mine))
        if cursor := read_cursor(request, 2):
            last = _cursor_time(cursor[0])
            stories = stories.filter(Q(last_at__lt=last) | Q(last_at=last, pk__lt=cursor[1]))
        size = page_size(request)
        stories_found = list(stories.order_by("-last_at", "-pk")[:size])
        shown = StorySerializer(self._as_seen_by_reader(stories_found), many=True).data
        return page(
            request, shown, _story_cursor(stories_found[-1]) if len(stories_found) == size else None
        )

    def _as_seen_by_reader(self, stories: list[Story]) -> list[Story]:
        """Replace headline, counts, times and topics by those of the items that the reader can
        see. Stories without visible items are left out."""
        rows = Item.objects.visible_to(self.reader).covering(stories).order_by("pk")
        visible: dict[int, list[Item]] = {}
        columns = ("pk", "story", "source", "title", "copy_of", "topics", "published_at")
        articles = list(rows.only(*columns))
        settle_copies(articles, Item.objects.visible_to(self.reader))
        for item in articles:
            visible.setdefault(item.story_id or 0, []).append(item)
        for story in stories:
            items = visible.get(story.pk, [])
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
        return [story for story in stories if story.pk in visible]


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
