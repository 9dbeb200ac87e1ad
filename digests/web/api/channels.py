"""REST API of delivery channels."""

from typing import Any

from django.urls import path
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers, status
from rest_framework.exceptions import APIException, NotFound, Throttled, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from digests import channels
from digests.channels.confirmation import request_confirmation
from digests.channels.errors import AllowanceError, DeliveryError
from digests.channels.kind import ChannelKind
from digests.channels.outbox import last_deliveries
from digests.models import Channel, Delivery
from digests.web.forms import ChannelForm
from feeds.web.api.resource import ReaderView


class DeliverySerializer(serializers.ModelSerializer[Delivery]):
    class Meta:
        model = Delivery
        fields = ["state", "attempts", "error", "sent_at", "next_try_at"]


class ChannelSerializer(serializers.ModelSerializer[Channel]):
    """`last_deliveries` in the context has the newest delivery of each channel."""

    label = serializers.SerializerMethodField()  # type: ignore[assignment]
    target = serializers.SerializerMethodField()
    last_delivery = serializers.SerializerMethodField()

    class Meta:
        model = Channel
        fields = [
            "id",
            "kind",
            "label",
            "is_global",
            "target",
            "state",
            "reason",
            "created_at",
            "last_delivery",
        ]

    def get_label(self, channel: Channel) -> str:
        return channels.kind_of(channel).label

    def get_target(self, channel: Channel) -> str:
        """As the page shows it: the address of a webhook is a secret."""
        return channels.kind_of(channel).shown_target(channel)

    def get_last_delivery(self, channel: Channel) -> dict[str, Any] | None:
        last = self.context["last_deliveries"].get(channel.pk)
        return DeliverySerializer(last).data if last else None


class KindSerializer(serializers.Serializer[Any]):
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    takes_target = serializers.BooleanField(help_text="whether it needs an address")
    problem = serializers.SerializerMethodField(help_text="why this server cannot use it now")

    def get_problem(self, kind: ChannelKind) -> str:
        return kind.problem()


class NewChannelSerializer(serializers.Serializer[Any]):
    kind = serializers.CharField()
    target = serializers.CharField(default="", allow_blank=True)
    is_global = serializers.BooleanField(default=False, help_text="the site digest")


class ConfirmationNotSent(APIException):
    """The channel was added, but the request for confirmation could not be sent."""

    status_code = status.HTTP_502_BAD_GATEWAY


class Channels(ReaderView):
    @extend_schema(
        operation_id="channels_list",
        summary="Ways by which digests are delivered, and those that could be added",
        responses=inline_serializer(
            "ChannelList",
            {"results": ChannelSerializer(many=True), "kinds": KindSerializer(many=True)},
        ),
    )
    def get(self, request: Request) -> Response:
        results = _serialize(list(self.reader.channels.all()))
        return Response(
            {"results": results, "kinds": KindSerializer(channels.KINDS, many=True).data}
        )

    @extend_schema(
        summary="Add a channel", request=NewChannelSerializer, responses={201: ChannelSerializer}
    )
    def post(self, request: Request) -> Response:
        serializer = NewChannelSerializer(data=request.data)
        serializer.is_valid(raise_exception=True)
        which = "global" if serializer.validated_data["is_global"] else "own"
        form = ChannelForm(self.reader, {**serializer.validated_data, "which": which})
        if not form.is_valid():
            raise ValidationError(
                {name: [str(error) for error in errors] for name, errors in form.errors.items()}
            )
        channel = form.save()
        try:
            request_confirmation(channel)
        except AllowanceError as error:
            raise Throttled(detail=str(error)) from None
        except DeliveryError as error:
            name = channels.kind_of(channel).confirmation
            raise ConfirmationNotSent(f"The {name} could not be sent. {error}") from None
        return Response(_serialize([channel])[0], status.HTTP_201_CREATED)


class OneChannel(ReaderView):
    @extend_schema(
        operation_id="channel", summary="One channel", responses={200: ChannelSerializer}
    )
    def get(self, request: Request, pk: int) -> Response:
        return Response(_serialize([self._own(pk)])[0])

    @extend_schema(summary="Remove a channel", responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        self._own(pk).delete()
        return Response(status=status.HTTP_204_NO_CONTENT)

    def _own(self, pk: int) -> Channel:
        channel = self.reader.channels.filter(pk=pk).first()
        if channel is None:
            raise NotFound("You have no such channel.")
        return channel


def _serialize(channels_shown: list[Channel]) -> list[dict[str, Any]]:
    context = {"last_deliveries": last_deliveries(channels_shown)}
    return list(ChannelSerializer(channels_shown, many=True, context=context).data)


urlpatterns = [
    path("digest/channels/", Channels.as_view(), name="api_channels"),
    path("digest/channels/<int:pk>/", OneChannel.as_view(), name="api_channel"),
]
