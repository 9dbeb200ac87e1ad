"""REST API of questions."""

from typing import Any

from django.urls import path
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from digests.ask.answers import (
    QuestionState,
    answer_of,
    ask_model,
    clean_question,
    validation_error,
)
from feeds.web.api.resource import ReaderView, parameter

NO_ANSWER = "No answer in your sources."


class AnswerSentenceSerializer(serializers.Serializer[Any]):
    text = serializers.CharField()
    cites = serializers.ListField(child=serializers.IntegerField())


class AnswerSourceSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    item_id = serializers.IntegerField()
    title = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    url = serializers.CharField()


class AskedSerializer(serializers.Serializer[Any]):
    """Each sentence cites numbers of `sources`. `says` is a message when there is no answer."""

    sentences = AnswerSentenceSerializer(source="answer.sentences", many=True)
    sources = AnswerSourceSerializer(source="answer.sources", many=True)
    written_by = serializers.CharField(
        source="answer.written_by", help_text='"extractive" or the name of the language model'
    )
    is_waiting = serializers.BooleanField(
        help_text="the language model has been asked; GET again in a moment"
    )
    says = serializers.SerializerMethodField()
    problems = serializers.ListField(source="answer.problems", child=serializers.CharField())

    def get_says(self, asked: QuestionState) -> str:
        is_empty = not (asked.answer.sentences or asked.answer.problems)
        return " ".join(filter(None, [NO_ANSWER if is_empty else "", asked.message]))


class QuestionSerializer(serializers.Serializer[Any]):
    q = serializers.CharField(trim_whitespace=True, allow_blank=True, default="")


class Ask(ReaderView):
    @extend_schema(
        summary="Answer a question from the reader's sources, with citations",
        parameters=[parameter("q", OpenApiTypes.STR, "question")],
        responses=AskedSerializer,
    )
    def get(self, request: Request) -> Response:
        """Sentences quoted from the sources, or the model's answer if it was asked before."""
        text = _question(request.query_params)
        with self.slot():
            return Response(AskedSerializer(answer_of(self.reader, text)).data)

    @extend_schema(
        summary="Ask the language model",
        request=QuestionSerializer,
        responses={200: AskedSerializer, 202: AskedSerializer},
    )
    def post(self, request: Request) -> Response:
        """Returns 202 while a worker asks the model; GET the same question again."""
        question = _question(request.data)
        with self.slot():
            asked = ask_model(self.reader, question)
        code = status.HTTP_202_ACCEPTED if asked.is_waiting else status.HTTP_200_OK
        return Response(AskedSerializer(asked).data, code)


def _question(data: Any) -> str:
    if not hasattr(data, "get"):
        raise ValidationError({"q": "Send an object with the question as q."})
    text = clean_question(str(data.get("q") or ""))
    if error := validation_error(text):
        raise ValidationError({"q": error})
    return text


urlpatterns = [
    path("ask/", Ask.as_view(), name="api_ask"),
]
