"""REST API of feedback, levels of topics, and what the ranking has learned."""

from django.http import Http404
from django.urls import path
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers as fields
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from feeds.reading.feedback import LEVELS, forget_item, forget_taste, weigh_topic
from feeds.reading.marks import set_state
from feeds.reading.taste import export_taste
from feeds.web.api.resource import NO_CONTENT, ReaderView, validated


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


class Feedback(ReaderView):
    @extend_schema(
        summary="Report items as opened, or ask for less like them",
        request=FeedbackSerializer,
        responses=AnsweredSerializer,
    )
    def post(self, request: Request) -> Response:
        data = validated(FeedbackSerializer(data=request.data))
        ids = data.pop("items")
        if not data:
            raise ValidationError("Set opened or less.")
        changed = set_state(self.reader, ids, **data)
        return Response({"changed": changed, "unknown": sorted(set(ids) - set(changed))})


class TopicLevel(ReaderView):
    @extend_schema(
        summary="Set the level of a topic: mute, less, normal or more",
        request=TopicLevelSerializer,
        responses=NO_CONTENT,
    )
    def put(self, request: Request, topic: str) -> Response:
        level = validated(TopicLevelSerializer(data=request.data))["level"]
        try:
            weigh_topic(self.reader, topic, level)
        except ValueError as error:
            raise Http404(str(error)) from None
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


urlpatterns = [
    path("feedback/", Feedback.as_view(), name="api_feedback"),
    path("topics/<slug:topic>/level/", TopicLevel.as_view(), name="api_topic_level"),
    path("taste/", TasteView.as_view(), name="api_taste"),
    path("taste/items/<int:pk>/", TasteItem.as_view(), name="api_taste_item"),
]
