"""An API resource as CONTRIBUTING.md describes it: how many sources and folders a reader has."""

from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.models import Folder, Subscription
from feeds.web.api.conditional import etag_by_content
from feeds.web.api.resource import ReaderView


class CountsSerializer(fields.Serializer[object]):
    sources = fields.IntegerField()
    folders = fields.IntegerField()


class Counts(ReaderView):
    @extend_schema(summary="How many sources the reader follows", responses=CountsSerializer)
    @etag_by_content
    def get(self, request: Request) -> Response:
        counts = {
            "sources": Subscription.objects.filter(user=self.reader).count(),
            "folders": Folder.objects.filter(user=self.reader).count(),
        }
        return Response(CountsSerializer(counts).data)


urlpatterns = [
    path("counts/", Counts.as_view(), name="api_counts"),
]
