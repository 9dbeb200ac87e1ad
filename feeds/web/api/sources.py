# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""REST API of sources and subscriptions."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

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
from feeds.models.narrow import fetch, loaded, moment
from feeds.models.source import state_word
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
    *("id", "url", "title", "site_url", "description", "kind", "language", "pack"),
    *("status", "failures", "error", "items_per_day", "topics"),
    *("last_fetched_at", "last_succeeded_at", "next_poll_at"),
)
_LISTED = (
    f"SELECT {', '.join(f'c.{name}' for name in COLUMNS)}, s.source_id, s.folder_id, s.title"
    " FROM feeds_source c {join} feeds_subscription s ON s.source_id = c.id AND s.user_id = %s"
    " WHERE {condition} ORDER BY {order}"
)
"""Sources that a reader follows or can see. It is not a queryset, because programs ask often."""
_SUBSCRIPTIONS = "SELECT source_id, folder_id, title FROM feeds_subscription WHERE user_id = %s"


class ListedSource(NamedTuple):
    """A source in a list, with what its reader has made of it. Its attributes are those of a
    Source and those that `with_subscriptions` sets."""

    id: int
    url: str
    title: str
    site_url: str
    description: str
    kind: str
    language: str
    pack: str
    status: str
    failures: int
    error: str
    items_per_day: float
    topics: list[str]
    last_fetched_at: datetime | None
    last_succeeded_at: datetime | None
    next_poll_at: datetime
    is_followed: bool
    folder_id: int | None
    shown_title: str
    unread: int

    @property
    def state_word(self) -> str:
        return state_word(self.status, self.failures, self.last_succeeded_at)


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
        sources, following = _list(request, self.reader, with_catalogue=flag(request, "all"))
        response = Response(represent(SourceSerializer, sources))
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


def _list(
    request: Request, user: User, *, with_catalogue: bool
) -> tuple[list[ListedSource], str | None]:
    """Return the sources that the reader follows or can see, and the URL of the next page.

    With a limit they are a page in the order of ids, else all of them by title.
    """
    join, condition = ("LEFT JOIN", "(c.is_public OR s.id IS NOT NULL)")
    if not with_catalogue:  # what a reader follows is visible to them
        join, condition = "JOIN", "1 = 1"
    values: list[Any] = [user.pk]
    order = "c.title, c.id"
    limit = page_size(request) if number(request, "limit") is not None else None
    if limit is not None:
        cursor = read_cursor(request, 1)
        condition, order = f"{condition} AND c.id > %s", "c.id LIMIT %s"
        values += [cursor[0] if cursor else 0, limit + 1]
    rows = fetch(_LISTED.format(join=join, condition=condition, order=order), values)
    unread = unread_counts(user) if rows else {}
    topics = {text: loaded(text) for text in {row[12] for row in rows}}
    sources = [_listed(row, topics, unread) for row in rows[:limit]]
    if limit is None or len(rows) <= limit:
        return sources, None
    return sources, next_url(request, (sources[-1].id,))


def _listed(
    row: tuple[Any, ...], topics: Mapping[str, list[str]], unread: Mapping[int, int]
) -> ListedSource:
    *values, text, fetched, succeeded, due, follows, folder, own_title = row
    times = (moment(fetched), moment(succeeded), moment(due))
    own = (follows is not None, folder, own_title or row[2], unread.get(row[0], 0))
    return ListedSource._make((*values, topics[text], *times, *own))


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
