"""REST API of items."""

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.reading.filters import Filters
from feeds.reading.item_list import list_items
from feeds.reading.item_page import get_item
from feeds.web.api.conditional import etag_by_version
from feeds.web.api.pages import flag, number, page, page_size, read_cursor
from feeds.web.api.represent import represent
from feeds.web.api.resource import CURSOR, LIMIT, TOPIC, ReaderView, or_404, paged, parameter


class ItemSerializer(fields.Serializer[object]):
    """An item in a list, with the reader's state."""

    id = fields.IntegerField()
    seq = fields.IntegerField()
    source = fields.IntegerField(source="source_id")  # type: ignore[assignment]
    source_title = fields.CharField()
    story = fields.IntegerField(source="story_id", allow_null=True)
    copy_of = fields.IntegerField(allow_null=True)
    url = fields.CharField()
    title = fields.CharField()
    author = fields.CharField()
    summary = fields.CharField()
    image_url = fields.CharField()
    language = fields.CharField()
    topics = fields.ListField(child=fields.CharField())
    published_at = fields.DateTimeField()
    fetched_at = fields.DateTimeField()
    updated_at = fields.DateTimeField(allow_null=True)
    is_read = fields.BooleanField()
    is_saved = fields.BooleanField()


class EnclosureSerializer(fields.Serializer[object]):
    url = fields.CharField()
    type = fields.CharField(allow_blank=True)
    length = fields.IntegerField(allow_null=True)


class FullItemSerializer(ItemSerializer):
    """One item with its body: `html` is sanitised, `text` is plain text."""

    html = fields.CharField(source="body.shown_html")
    text = fields.CharField(source="body.text")
    enclosures = EnclosureSerializer(source="body.enclosures", many=True)


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
        responses=paged(ItemSerializer),
    )
    @etag_by_version
    def get(self, request: Request) -> Response:
        filters = Filters(
            folder_id=number(request, "folder"),
            source_id=number(request, "source"),
            topic=request.query_params.get("topic", ""),
            unread=flag(request, "unread"),
            saved=flag(request, "saved"),
        )
        cursor, size = read_cursor(request, 1), page_size(request)
        items = list_items(self.reader, filters, cursor[0] if cursor else None, size)
        shown = represent(ItemSerializer, items)
        return page(request, shown, (items[-1].pk,) if len(items) == size else None)


class OneItem(ReaderView):
    @extend_schema(summary="One item with its body", responses=FullItemSerializer)
    def get(self, request: Request, pk: int) -> Response:
        item = or_404(lambda: get_item(self.reader, pk))
        item.source_title = str(item.source)  # type: ignore[attr-defined]
        return Response(FullItemSerializer(item).data)


urlpatterns = [
    path("items/", Items.as_view(), name="api_items"),
    path("items/<int:pk>/", OneItem.as_view(), name="api_item"),
]
