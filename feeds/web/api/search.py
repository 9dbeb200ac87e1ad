"""REST API of the search."""

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.search.run import search_items
from feeds.web.api.conditional import etag_by_version
from feeds.web.api.items import ItemSerializer
from feeds.web.api.pages import number, page_size
from feeds.web.api.resource import LIMIT, ReaderView, parameter


class FoundSerializer(ItemSerializer):
    """`marked_title` and `marked_snippet` are escaped HTML with `<mark>` around matches."""

    source_title = fields.CharField(source="source.title")
    marked_title = fields.CharField()
    marked_snippet = fields.CharField()
    has_all = fields.BooleanField(help_text="whether it contains all words of the query")


class SearchSerializer(fields.Serializer[object]):
    """A page of results. `problems` are messages about the query."""

    found = fields.IntegerField()
    with_all = fields.IntegerField(
        help_text="matches with all words, which come first; the rest have some of them"
    )
    is_capped = fields.BooleanField()
    next_page = fields.IntegerField(allow_null=True)
    milliseconds = fields.IntegerField()
    problems = fields.ListField(child=fields.CharField())
    archived = fields.CharField(
        source="archived.note",
        default=None,
        allow_null=True,
        help_text="which archived items were not searched",
    )
    results = FoundSerializer(many=True, source="items")


class Search(ReaderView):
    @extend_schema(
        summary="Search the items the reader can see",
        parameters=[
            parameter("q", OpenApiTypes.STR, 'words, "phrases", -not, OR, source:, is:unread, …'),
            parameter("page", OpenApiTypes.INT, "default 1"),
            LIMIT,
        ],
        responses=SearchSerializer,
    )
    @etag_by_version
    def get(self, request: Request) -> Response:
        text = request.query_params.get("q", "").strip()
        if not text:
            raise ValidationError({"q": "Enter what to search for."})
        page = min(number(request, "page") or 1, 1000)
        with self.slot():
            results = search_items(self.reader, text, page_size(request), page)
            response = Response(SearchSerializer(results).data)
        if not results.is_current:
            response.headers["Cache-Control"] = "no-store"
        return response


urlpatterns = [
    path("search/", Search.as_view(), name="api_search"),
]
