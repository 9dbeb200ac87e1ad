"""The REST API of a reader's taste: ranked stories, feedback, follows, levels, and all of it."""

from typing import Any

from django.http import Http404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.api.conditional import unless_known
from feeds.api.pages import number
from feeds.api.views import LIMIT, TOPIC, ReaderView
from feeds.reading.feedback import (
    LEVELS,
    follow_story,
    forget_item,
    forget_taste,
    weigh_source,
    weigh_topic,
)
from feeds.reading.marks import set_state
from feeds.reading.taste import export_taste
from feeds.stories.home import MOST_STORIES, ranked_stories

NO_CONTENT = {204: None}


class RankedSerializer(fields.Serializer[object]):
    """A recent story as ranked for this reader. `terms` are in 0..1; `score` is
    the weighted sum of all but freshness, times freshness."""

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


class FeedbackSerializer(fields.Serializer[object]):
    """What the reader did with items. `opened` and `less` ("less like this", which also hides)
    are true, or false to undo. Omitted fields are unchanged."""

    items = fields.ListField(
        child=fields.IntegerField(min_value=0, max_value=2**62), max_length=1000
    )
    opened = fields.BooleanField(required=False)
    less = fields.BooleanField(required=False)


class AnsweredSerializer(fields.Serializer[object]):
    """`changed` items were set; `unknown` items don't exist or aren't the reader's to see."""

    changed = fields.ListField(child=fields.IntegerField())
    unknown = fields.ListField(child=fields.IntegerField())


class TopicLevelSerializer(fields.Serializer[object]):
    level = fields.ChoiceField(LEVELS)


class SourceLevelSerializer(fields.Serializer[object]):
    level = fields.ChoiceField(LEVELS[1:])


class TasteSourceSerializer(fields.Serializer[object]):
    id = fields.IntegerField()
    title = fields.CharField()
    level = fields.CharField()
    shown = fields.IntegerField()
    opened = fields.IntegerField()


class TasteItemSerializer(fields.Serializer[object]):
    id = fields.IntegerField()
    title = fields.CharField()
    url = fields.CharField(allow_blank=True)
    done = fields.CharField(help_text="opened, saved, hidden or less like this")
    at = fields.DateTimeField()


class TasteStorySerializer(fields.Serializer[object]):
    id = fields.IntegerField()
    title = fields.CharField()
    since = fields.DateTimeField()


class TasteSerializer(fields.Serializer[object]):
    """Everything the ranking knows about the reader."""

    topics = fields.DictField(child=fields.CharField())
    topics_learned = fields.DictField(child=fields.IntegerField())
    sources = TasteSourceSerializer(many=True)
    items = TasteItemSerializer(many=True)
    followed_stories = TasteStorySerializer(many=True)
    views = fields.IntegerField()


class Ranked(ReaderView):
    @extend_schema(
        operation_id="stories_ranked",
        summary="Recent stories ranked for the reader, with every term of the score",
        parameters=[TOPIC, LIMIT],
        responses=RankedSerializer(many=True),
    )
    @unless_known
    def get(self, request: Request) -> Response:
        topic = request.query_params.get("topic", "")
        most = max(1, min(number(request, "limit") or MOST_STORIES // 2, MOST_STORIES))
        ranked = ranked_stories(self.reader, topic=topic, most=most)
        return Response(RankedSerializer(ranked, many=True).data)


class Feedback(ReaderView):
    @extend_schema(
        summary="Report items as opened, or ask for less like them",
        request=FeedbackSerializer,
        responses=AnsweredSerializer,
    )
    def post(self, request: Request) -> Response:
        wanted = _valid(FeedbackSerializer(data=request.data))
        ids = wanted.pop("items")
        if not wanted:
            raise ValidationError("Set opened or less.")
        changed = set_state(self.reader, ids, **wanted)
        return Response({"changed": changed, "unknown": sorted(set(ids) - set(changed))})


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


class TopicLevel(ReaderView):
    @extend_schema(
        summary="Set the level of a topic: mute, less, normal or more",
        request=TopicLevelSerializer,
        responses=NO_CONTENT,
    )
    def put(self, request: Request, topic: str) -> Response:
        level = _valid(TopicLevelSerializer(data=request.data))["level"]
        try:
            weigh_topic(self.reader, topic, level)
        except ValueError as error:
            raise Http404(str(error)) from None
        return Response(status=status.HTTP_204_NO_CONTENT)


class SourceLevel(ReaderView):
    @extend_schema(
        summary="Set the level of a source: less, normal or more",
        request=SourceLevelSerializer,
        responses=NO_CONTENT,
    )
    def put(self, request: Request, pk: int) -> Response:
        level = _valid(SourceLevelSerializer(data=request.data))["level"]
        if not weigh_source(self.reader, pk, level):
            raise Http404("You don't follow this source.")
        return Response(status=status.HTTP_204_NO_CONTENT)


class TasteView(ReaderView):
    @extend_schema(
        summary="Everything the ranking knows about the reader", responses=TasteSerializer
    )
    def get(self, request: Request) -> Response:
        return Response(export_taste(self.reader, timezone.now()))

    @extend_schema(
        summary="Delete everything the ranking knows about the reader", responses=NO_CONTENT
    )
    def delete(self, request: Request) -> Response:
        forget_taste(self.reader)
        return Response(status=status.HTTP_204_NO_CONTENT)


class TasteItem(ReaderView):
    @extend_schema(summary="Delete what is known about one item", responses=NO_CONTENT)
    def delete(self, request: Request, pk: int) -> Response:
        if not forget_item(self.reader, pk):
            raise Http404("This item isn't part of your taste.")
        return Response(status=status.HTTP_204_NO_CONTENT)


def _valid(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)
