"""REST API of marks: read, saved and hidden items, "mark all read" and undo."""

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.reading.marks import mark_all_read, set_state, undo_mark
from feeds.web.api.resource import NO_CONTENT, ReaderView, validated


class StatesSerializer(fields.Serializer[object]):
    """The states to set and the items to set them for. Omitted states are unchanged."""

    items = fields.ListField(child=fields.IntegerField(), max_length=1000)
    read = fields.BooleanField(required=False)
    saved = fields.BooleanField(required=False)
    hidden = fields.BooleanField(required=False)


class ChangedSerializer(fields.Serializer[object]):
    """`changed` items were set; `unknown` items don't exist or aren't the reader's to see."""

    changed = fields.ListField(child=fields.IntegerField())
    unknown = fields.ListField(child=fields.IntegerField())


class MarkReadSerializer(fields.Serializer[object]):
    """Everything with a `seq` up to `upto_seq`, in these sources or in all."""

    upto_seq = fields.IntegerField(min_value=0)
    sources = fields.ListField(
        child=fields.IntegerField(min_value=0, max_value=2**62),
        max_length=10_000,
        required=False,
        allow_null=True,
        default=None,
    )


class MarkedSerializer(fields.Serializer[object]):
    """POST `undo` to /api/v1/undo/ within a day to reverse it."""

    undo = fields.IntegerField()


class States(ReaderView):
    @extend_schema(
        summary="Set the read, saved or hidden state of items",
        request=StatesSerializer,
        responses=ChangedSerializer,
    )
    def post(self, request: Request) -> Response:
        data = validated(StatesSerializer(data=request.data))
        ids = [pk for pk in data.pop("items") if 0 <= pk < 2**62]
        if not data:
            raise ValidationError("Set read, saved or hidden.")
        changed = set_state(self.reader, ids, **data)
        return Response({"changed": changed, "unknown": sorted(set(ids) - set(changed))})


class MarkRead(ReaderView):
    @extend_schema(
        summary="Mark everything up to a seq as read",
        request=MarkReadSerializer,
        responses=MarkedSerializer,
    )
    def post(self, request: Request) -> Response:
        data = validated(MarkReadSerializer(data=request.data))
        undo = mark_all_read(self.reader, data["sources"], data["upto_seq"])
        return Response({"undo": undo.pk})


class Undo(ReaderView):
    @extend_schema(
        summary="Undo marking as read",
        request=MarkedSerializer,
        responses=NO_CONTENT,
    )
    def post(self, request: Request) -> Response:
        data = validated(MarkedSerializer(data=request.data))
        if not undo_mark(self.reader, data["undo"]):
            raise Http404("This can no longer be undone.")
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("states/", States.as_view(), name="api_states"),
    path("mark-read/", MarkRead.as_view(), name="api_mark_read"),
    path("undo/", Undo.as_view(), name="api_undo"),
]
