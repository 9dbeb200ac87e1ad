"""REST API of sources and subscriptions."""

from django.db.models import QuerySet
from django.http import Http404
from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from feeds.core.errors import FeedError
from feeds.models import Folder, Source
from feeds.models.narrow import fetch
from feeds.reading.feedback import LEVELS, weigh_source
from feeds.reading.unread import unread_counts
from feeds.sources.subscriptions import add_source, unsubscribe
from feeds.web.api.conditional import etag_by_content
from feeds.web.api.pages import flag, next_url, number, page_size, read_cursor
from feeds.web.api.represent import represent
from feeds.web.api.resource import (
    CURSOR,
    LIMIT,
    NO_CONTENT,
    ReaderView,
    or_404,
    parameter,
    validated,
)

COLUMNS = (
    *("id", "url", "title", "site_url", "description", "kind", "language", "topics", "pack"),
    *("status", "failures", "error", "items_per_day"),
    *("last_fetched_at", "last_succeeded_at", "next_poll_at"),
)
"""What a list of sources shows, and what `Source.state_word` reads."""
_SUBSCRIPTIONS = "SELECT source_id, folder_id, title FROM feeds_subscription WHERE user_id = %s"


class SourceSerializer(fields.ModelSerializer[Source]):
    """A source. `title` is the reader's custom name if there is one; `state` is new, ok,
    failing, paused or gone; `error` is the reason in words."""

    title = fields.CharField(read_only=True, source="shown_title")
    state = fields.CharField(source="state_word", read_only=True)
    is_followed = fields.BooleanField(read_only=True)
    folder = fields.IntegerField(read_only=True, allow_null=True, source="folder_id")
    unread = fields.IntegerField(read_only=True)

    class Meta:
        model = Source
        fields = [
            "id",
            "url",
            "title",
            "site_url",
            "description",
            "kind",
            "language",
            "topics",
            "pack",
            "state",
            "error",
            "last_fetched_at",
            "next_poll_at",
            "items_per_day",
            "is_followed",
            "folder",
            "unread",
        ]
        read_only_fields = fields


class NewSourceSerializer(fields.Serializer[Source]):
    """`url` is the address of a feed; `folder` is the id of one of the reader's folders."""

    url = fields.CharField(max_length=2048)
    title = fields.CharField(max_length=300, required=False, default="")
    folder = fields.IntegerField(required=False, allow_null=True, default=None)


class SourceLevelSerializer(fields.Serializer[object]):
    level = fields.ChoiceField(LEVELS[1:])


class Sources(ReaderView):
    @extend_schema(
        summary="Sources the reader follows",
        description="All of them; with `limit`, a page, and a `Link` header leads to the next.",
        parameters=[
            parameter("all", OpenApiTypes.BOOL, "include the public catalogue"),
            CURSOR,
            LIMIT,
        ],
        responses=SourceSerializer(many=True),
    )
    @etag_by_content
    def get(self, request: Request) -> Response:
        # What a reader follows is visible to them.
        with_catalogue = flag(request, "all")
        choose = Source.objects.visible_to if with_catalogue else Source.objects.subscribed_by
        sources = choose(self.reader).only(*COLUMNS)
        if number(request, "limit") is None:
            page, following = list(sources), None
        else:
            page, following = _one_page(request, sources)
        shown = with_subscriptions(self.reader, page)
        response = Response(represent(SourceSerializer, shown))
        if following:
            response.headers["Link"] = f'<{following}>; rel="next"'
        return response

    @extend_schema(
        summary="Follow a feed by its address",
        request=NewSourceSerializer,
        responses={201: SourceSerializer},
    )
    def post(self, request: Request) -> Response:
        data = validated(NewSourceSerializer(data=request.data))
        folder = None
        if data["folder"] is not None:
            folder = Folder.objects.filter(pk=data["folder"], user=self.reader).first()
            if folder is None:
                raise ValidationError({"folder": "You have no folder with this id."})
        try:
            source = add_source(data["url"], user=self.reader, title=data["title"], folder=folder)
        except FeedError as error:
            raise ValidationError({"url": str(error)}) from None
        (shown,) = with_subscriptions(self.reader, [source])
        return Response(SourceSerializer(shown).data, status.HTTP_201_CREATED)


def _one_page(request: Request, sources: QuerySet[Source]) -> tuple[list[Source], str | None]:
    """Return a page of sources in the order of ids, and the URL of the next page."""
    limit, cursor = page_size(request), read_cursor(request, 1)
    after = sources.filter(pk__gt=cursor[0] if cursor else 0).order_by("pk")
    page = list(after[: limit + 1])
    more = len(page) > limit
    return page[:limit], next_url(request, (page[limit - 1].pk,)) if more else None


class OneSource(ReaderView):
    @extend_schema(summary="One source", responses=SourceSerializer)
    def get(self, request: Request, pk: int) -> Response:
        (shown,) = with_subscriptions(self.reader, [self._find(pk)])
        return Response(SourceSerializer(shown).data)

    @extend_schema(summary="Stop following a source", responses=NO_CONTENT)
    def delete(self, request: Request, pk: int) -> Response:
        unsubscribe(self.reader, self._find(pk))
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _find(self, pk: int) -> Source:
        return or_404(lambda: Source.objects.visible_to(self.reader).get(pk=pk))


class SourceLevel(ReaderView):
    @extend_schema(
        summary="Set the level of a source: less, normal or more",
        request=SourceLevelSerializer,
        responses=NO_CONTENT,
    )
    def put(self, request: Request, pk: int) -> Response:
        level = validated(SourceLevelSerializer(data=request.data))["level"]
        if not weigh_source(self.reader, pk, level):
            raise Http404("You don't follow this source.")
        return Response(status=status.HTTP_204_NO_CONTENT)


def with_subscriptions(user: User, sources: list[Source]) -> list[Source]:
    """Set `is_followed`, `folder_id`, `unread` and `shown_title` of sources for this reader."""
    followed = {pk: (folder, title) for pk, folder, title in fetch(_SUBSCRIPTIONS, [user.pk])}
    unread = unread_counts(user) if sources else {}
    for source in sources:
        folder, title = followed.get(source.pk, (None, ""))
        source.is_followed = source.pk in followed  # type: ignore[attr-defined]
        source.folder_id = folder  # type: ignore[attr-defined]
        source.shown_title = title or source.title  # type: ignore[attr-defined]
        source.unread = unread.get(source.pk, 0)  # type: ignore[attr-defined]
    return sources


urlpatterns = [
    path("sources/", Sources.as_view(), name="api_sources"),
    path("sources/<int:pk>/", OneSource.as_view(), name="api_source"),
    path("sources/<int:pk>/level/", SourceLevel.as_view(), name="api_source_level"),
]
