"""The REST API: sources, items, stories, states and search of the reader who asks."""

from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.db.models import Exists, OuterRef, Q
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from feeds.api import serializers
from feeds.api.conditional import unless_known, unless_same
from feeds.api.pages import NO_CURSOR, flag, number, page, page_size, read_cursor
from feeds.ingest.errors import FeedError
from feeds.models import Folder, Item, Source, Story, Subscription
from feeds.reading.filters import Filters
from feeds.reading.marks import mark_all_read, set_state, undo_mark
from feeds.reading.river import get_item, river
from feeds.reading.unread import unread_counts
from feeds.search.run import search_items
from feeds.stories.coverage import settle_copies
from feeds.stories.page import story_page
from feeds.stories.refresh import MOST_TOPICS
from feeds.subscribe import add_source, unsubscribe

T = TypeVar("T")


def parameter(name: str, kind: Any, says: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=says)


CURSOR = parameter("cursor", OpenApiTypes.STR, "from `next` of the previous page")
LIMIT = parameter("limit", OpenApiTypes.INT, "page size; default 50, at most 200")
TOPIC = parameter("topic", OpenApiTypes.STR, "slug of a topic")


def paged(serializer: type[Any]) -> Any:
    name = serializer.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {"next": fields.URLField(allow_null=True), "results": serializer(many=True)},
    )


class ReaderView(APIView):
    # No docstring: drf-spectacular would publish it as the description of every endpoint.

    @property
    def reader(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user


class Sources(ReaderView):
    @extend_schema(
        summary="Sources the reader follows",
        parameters=[parameter("all", OpenApiTypes.BOOL, "include the public catalogue")],
        responses=serializers.SourceSerializer(many=True),
    )
    @unless_same
    def get(self, request: Request) -> Response:
        sources = Source.objects.visible_to(self.reader)
        if not flag(request, "all"):
            sources = sources.filter(subscriptions__user=self.reader)
        shown = with_subscriptions(self.reader, list(sources))
        return Response(serializers.SourceSerializer(shown, many=True).data)

    @extend_schema(
        summary="Follow a feed by its address",
        request=serializers.NewSourceSerializer,
        responses={201: serializers.SourceSerializer},
    )
    def post(self, request: Request) -> Response:
        wanted = _valid(serializers.NewSourceSerializer(data=request.data))
        folder = None
        if wanted["folder"] is not None:
            folder = Folder.objects.filter(pk=wanted["folder"], user=self.reader).first()
            if folder is None:
                raise ValidationError({"folder": "You have no folder with this id."})
        try:
            source = add_source(
                wanted["url"], user=self.reader, title=wanted["title"], folder=folder
            )
        except FeedError as error:
            raise ValidationError({"url": str(error)}) from None
        (shown,) = with_subscriptions(self.reader, [source])
        return Response(serializers.SourceSerializer(shown).data, status.HTTP_201_CREATED)


def with_subscriptions(user: User, sources: list[Source]) -> list[Source]:
    """The sources with what the reader has of them: `is_followed`, `folder_id`, `unread`,
    `shown_title`."""
    rows = Subscription.objects.filter(user=user, source__in=sources)
    followed = {row.source_id: row for row in rows}
    unread = unread_counts(user) if sources else {}
    for source in sources:
        own = followed.get(source.pk)
        source.is_followed = own is not None  # type: ignore[attr-defined]
        source.folder_id = own.folder_id if own else None  # type: ignore[attr-defined]
        source.shown_title = (own.title if own else "") or source.title  # type: ignore[attr-defined]
        source.unread = unread.get(source.pk, 0)  # type: ignore[attr-defined]
    return sources


class OneSource(ReaderView):
    @extend_schema(summary="One source", responses=serializers.SourceSerializer)
    def get(self, request: Request, pk: int) -> Response:
        (shown,) = with_subscriptions(self.reader, [self._find(pk)])
        return Response(serializers.SourceSerializer(shown).data)

    @extend_schema(summary="Stop following a source", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        unsubscribe(self.reader, self._find(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _find(self, pk: int) -> Source:
        return _found(lambda: Source.objects.visible_to(self.reader).get(pk=pk))


class Items(ReaderView):
    @extend_schema(
        operation_id="items_list",
        summary="Items of the reader's sources, newest first",
        parameters=[
            parameter("source", OpenApiTypes.INT, "id of a source"),
            parameter("folder", OpenApiTypes.INT, "id of a folder; includes its subfolders"),
            TOPIC,
            parameter("unread", OpenApiTypes.BOOL, "only unread items"),
            parameter("saved", OpenApiTypes.BOOL, "only saved items"),
            CURSOR,
            LIMIT,
        ],
        responses=paged(serializers.ItemSerializer),
    )
    @unless_known
    def get(self, request: Request) -> Response:
        filters = Filters(
            folder_id=number(request, "folder"),
            source_id=number(request, "source"),
            topic=request.query_params.get("topic", ""),
            unread=flag(request, "unread"),
            saved=flag(request, "saved"),
        )
        cursor, size = read_cursor(request, 1), page_size(request)
        items = river(self.reader, filters, cursor[0] if cursor else None, size)
        shown = serializers.ItemSerializer(items, many=True).data
        return page(request, shown, (items[-1].pk,) if len(items) == size else None)


class OneItem(ReaderView):
    @extend_schema(summary="One item with its body", responses=serializers.FullItemSerializer)
    def get(self, request: Request, pk: int) -> Response:
        item = _found(lambda: get_item(self.reader, pk))
        item.source_title = str(item.source)  # type: ignore[attr-defined]
        return Response(serializers.FullItemSerializer(item).data)


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
        responses=paged(serializers.StorySerializer),
    )
    @unless_known
    def get(self, request: Request) -> Response:
        mine = Item.objects.subscribed_by(self.reader).filter(story=OuterRef("pk"))
        stories = Story.objects.select_related("lead")
        if topic := request.query_params.get("topic", ""):
            mine = mine.filter(topics__icontains=f'"{topic}"')
        if since := _moment(request, "since"):
            stories = stories.filter(last_at__gte=since)
            mine = mine.filter(published_at__gte=since)
        stories = stories.filter(Exists(mine))
        if cursor := read_cursor(request, 2):
            last = _cursor_time(cursor[0])
            stories = stories.filter(Q(last_at__lt=last) | Q(last_at=last, pk__lt=cursor[1]))
        size = page_size(request)
        found = list(stories.order_by("-last_at", "-pk")[:size])
        shown = serializers.StorySerializer(self._entitled(found), many=True).data
        return page(request, shown, _story_cursor(found[-1]) if len(found) == size else None)

    def _entitled(self, stories: list[Story]) -> list[Story]:
        """With the headline, counts, times and topics that the reader may see: some of a story
        may be told by sources of others alone."""
        rows = Item.objects.visible_to(self.reader).telling(stories).order_by("pk")
        seen: dict[int, list[Item]] = {}
        columns = ("pk", "story", "source", "title", "copy_of", "topics", "published_at")
        told = list(rows.only(*columns))
        settle_copies(told, Item.objects.visible_to(self.reader))
        for item in told:
            seen.setdefault(item.story_id or 0, []).append(item)
        for one in stories:
            items = seen.get(one.pk, [])
            if not items:
                continue
            lead = next((item for item in items if item.pk == one.lead_id), items[0])
            one.shown_title = one.title if one.title_pinned else lead.title  # type: ignore[attr-defined]
            one.item_count = len(items)
            one.copy_count = sum(item.copy_of is not None for item in items)
            one.source_count = len({i.source_id for i in items if i.copy_of is None}) or 1
            one.shown_first = min(item.published_at for item in items)  # type: ignore[attr-defined]
            one.shown_last = max(item.published_at for item in items)  # type: ignore[attr-defined]
            topics = Counter(topic for item in items for topic in item.topics)
            one.topics = [topic for topic, _ in topics.most_common(MOST_TOPICS)]
        return [one for one in stories if one.pk in seen]


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


class OneStory(ReaderView):
    @extend_schema(
        summary="One story with its coverage",
        description="For a merged story the response is the story it was merged into; see `id`.",
        responses=serializers.FullStorySerializer,
    )
    def get(self, request: Request, pk: int) -> Response:
        shown = _found(lambda: story_page(self.reader, pk))
        if isinstance(shown, int):
            target = shown
            shown = _found(lambda: story_page(self.reader, target))
        return Response(serializers.FullStorySerializer(shown).data)


class States(ReaderView):
    @extend_schema(
        summary="Set the read, saved or hidden state of items",
        request=serializers.StatesSerializer,
        responses=serializers.ChangedSerializer,
    )
    def post(self, request: Request) -> Response:
        wanted = _valid(serializers.StatesSerializer(data=request.data))
        ids = [pk for pk in wanted.pop("items") if 0 <= pk < 2**62]
        if not wanted:
            raise ValidationError("Set read, saved or hidden.")
        changed = set_state(self.reader, ids, **wanted)
        return Response({"changed": changed, "unknown": sorted(set(ids) - set(changed))})


class MarkRead(ReaderView):
    @extend_schema(
        summary="Mark everything up to a seq as read",
        request=serializers.MarkReadSerializer,
        responses=serializers.MarkedSerializer,
    )
    def post(self, request: Request) -> Response:
        wanted = _valid(serializers.MarkReadSerializer(data=request.data))
        undo = mark_all_read(self.reader, wanted["sources"], wanted["upto_seq"])
        return Response({"undo": undo.pk})


class Undo(ReaderView):
    @extend_schema(
        summary="Undo marking as read",
        request=serializers.MarkedSerializer,
        responses={204: None},
    )
    def post(self, request: Request) -> Response:
        wanted = _valid(serializers.MarkedSerializer(data=request.data))
        if not undo_mark(self.reader, wanted["undo"]):
            raise Http404("This can no longer be undone.")
        return Response(status=status.HTTP_204_NO_CONTENT)


class Search(ReaderView):
    @extend_schema(
        summary="Search the items the reader can see",
        parameters=[
            parameter("q", OpenApiTypes.STR, 'words, "phrases", -not, OR, source:, is:unread, …'),
            parameter("page", OpenApiTypes.INT, "default 1"),
            LIMIT,
        ],
        responses=serializers.SearchSerializer,
    )
    @unless_known
    def get(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        if not text:
            raise ValidationError({"q": "Enter what to search for."})
        wanted = min(number(request, "page") or 1, 1000)
        results = search_items(self.reader, text, page_size(request), wanted)
        response = Response(serializers.SearchSerializer(results).data)
        if not results.is_current:
            response.headers["Cache-Control"] = "no-store"
        return response


def _valid(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def _found(find: Callable[[], T]) -> T:
    """404 for what is not there, or not the reader's to see, or no possible id."""
    try:
        return find()
    except (Item.DoesNotExist, Source.DoesNotExist, Story.DoesNotExist, OverflowError):
        raise Http404("Not found, or not yours to see.") from None
