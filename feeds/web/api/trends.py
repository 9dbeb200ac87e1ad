"""REST API of trends and followed terms."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ainews_site.infra import db_clock
from feeds.models import TrendFollow
from feeds.trends.board import trends_for
from feeds.trends.follow import FollowError, follow, unfollow
from feeds.web.api.conditional import etag_by_content
from feeds.web.api.pages import page_size
from feeds.web.api.resource import LIMIT, NO_CONTENT, ReaderView


class TrendSerializer(serializers.Serializer[Any]):
    key = serializers.CharField(help_text="identifies the term in URLs")
    label = serializers.CharField()  # type: ignore[assignment]
    aliases = serializers.ListField(child=serializers.CharField())
    stories = serializers.IntegerField(help_text="in the last 7 days")
    before = serializers.IntegerField(help_text="in the 7 days before that")
    sources = serializers.IntegerField()
    stage = serializers.ChoiceField(["new", "climbing", "peak", "cooling"])
    sparkline = serializers.ListField(
        child=serializers.IntegerField(), help_text="stories per day; today is last"
    )
    story_id = serializers.IntegerField(help_text="leading story")
    story_title = serializers.CharField()
    score = serializers.FloatField()
    is_burst = serializers.BooleanField(help_text="whether the last two days alone are a burst")
    began = serializers.DateField()
    explanation = serializers.CharField()


class FollowSerializer(serializers.ModelSerializer[TrendFollow]):
    class Meta:
        model = TrendFollow
        fields = ["id", "term", "label", "created_at"]
        read_only_fields = ["id", "label", "created_at"]


class Trends(ReaderView):
    @extend_schema(
        operation_id="trends_list",
        summary="Trends in what the reader can see, strongest first",
        parameters=[LIMIT],
        responses=inline_serializer("TrendList", {"results": TrendSerializer(many=True)}),
    )
    @etag_by_content
    def get(self, request: Request) -> Response:
        trends = trends_for(self.reader, db_clock.now(), page_size(request))
        return Response({"results": TrendSerializer(trends, many=True).data})


class Follows(ReaderView):
    @extend_schema(
        operation_id="trend_follows_list",
        summary="Terms that the reader gets alerts for",
        responses=inline_serializer("FollowList", {"results": FollowSerializer(many=True)}),
    )
    @etag_by_content
    def get(self, request: Request) -> Response:
        follows = TrendFollow.objects.filter(user=self.reader)
        return Response({"results": FollowSerializer(follows, many=True).data})

    @extend_schema(
        summary="Follow a term or, as “#slug”, a curated topic",
        request=inline_serializer("NewFollow", {"term": serializers.CharField()}),
        responses={201: FollowSerializer},
    )
    def post(self, request: Request) -> Response:
        term = request.data.get("term") if isinstance(request.data, dict) else None
        if not isinstance(term, str):
            raise ValidationError({"term": "Enter the term to follow as text."})
        try:
            followed = follow(self.reader, term)
        except FollowError as error:
            raise ValidationError({"term": str(error)}) from None
        return Response(FollowSerializer(followed).data, status.HTTP_201_CREATED)


class OneFollow(ReaderView):
    @extend_schema(summary="Stop following a term", responses=NO_CONTENT)
    def delete(self, request: Request, pk: int) -> Response:
        followed = TrendFollow.objects.filter(user=self.reader, pk=pk).first()
        if followed is None:
            raise NotFound("You don't follow this term.")
        unfollow(self.reader, followed.term)
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("trends/", Trends.as_view(), name="api_trends"),
    path("trends/follows/", Follows.as_view(), name="api_trend_follows"),
    path("trends/follows/<int:pk>/", OneFollow.as_view(), name="api_trend_follow"),
]
