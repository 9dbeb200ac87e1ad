"""REST API of ranked and followed stories."""

from django.http import Http404
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.reading.feedback import follow_story
from feeds.reading.ranked import MAX_STORIES, ranked_stories
from feeds.web.api.conditional import etag_by_order
from feeds.web.api.pages import number
from feeds.web.api.represent import represent
from feeds.web.api.resource import LIMIT, NO_CONTENT, TOPIC, ReaderView


class RankedSerializer(fields.Serializer[object]):
    """A recent story as ranked for this reader. `terms` are in 0..1; `score` is
    the weighted mean of all but freshness, times freshness."""

    id = fields.IntegerField(source="story.pk")
    title = fields.CharField()
    lead = fields.IntegerField(source="lead.pk")
    source_count = fields.IntegerField()
    topics = fields.ListField(child=fields.CharField())
    newest_at = fields.DateTimeField()
    unread = fields.BooleanField()
    is_followed = fields.BooleanField()
    score = fields.FloatField()
    terms = fields.DictField(child=fields.FloatField())
    why = fields.CharField()


class Ranked(ReaderView):
    @extend_schema(
        operation_id="stories_ranked",
        summary="Recent stories ranked for the reader, with every term of the score",
        parameters=[TOPIC, LIMIT],
        responses=RankedSerializer(many=True),
    )
    @etag_by_order
    def get(self, request: Request) -> Response:
        topic = request.query_params.get("topic", "")
        most = max(1, min(number(request, "limit") or MAX_STORIES // 2, MAX_STORIES))
        with self.slot():
            ranked = ranked_stories(self.reader, topic=topic, most=most)
            return Response(represent(RankedSerializer, ranked))


class FollowedStoryView(ReaderView):
    @extend_schema(summary="Follow a story", request=None, responses=NO_CONTENT)
    def put(self, request: Request, pk: int) -> Response:
        if not follow_story(self.reader, pk, True):
            raise Http404("This story doesn't exist or isn't yours to see.")
        return Response(status=status.HTTP_204_NO_CONTENT)

    @extend_schema(summary="Unfollow a story", responses=NO_CONTENT)
    def delete(self, request: Request, pk: int) -> Response:
        follow_story(self.reader, pk, False)
        return Response(status=status.HTTP_204_NO_CONTENT)


urlpatterns = [
    path("stories/ranked/", Ranked.as_view(), name="api_ranked"),
    path("stories/<int:pk>/follow/", FollowedStoryView.as_view(), name="api_follow"),
]
