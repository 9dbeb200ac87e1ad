"""Editions over REST: today's, those before it, and how the writing goes."""

from datetime import date
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from digests.allowance import spend
from digests.models import Digest
from digests.progress import progress_of
from digests.read import todays_digest
from digests.tasks import request_digest
from digests.writing import today_of
from feeds.api.conditional import unless_same
from feeds.api.pages import page, page_size, read_cursor
from feeds.api.views import CURSOR, LIMIT, paged


class DigestSerializer(serializers.ModelSerializer[Digest]):
    class Meta:
        model = Digest
        fields = [
            "date",
            "is_global",
            "created_at",
            "starts_at",
            "ends_at",
            "written_by",
            "content",
        ]


class ListedDigestSerializer(serializers.ModelSerializer[Digest]):
    """An edition in a list: its headlines and the URL of the whole edition."""

    headlines = serializers.SerializerMethodField()
    url = serializers.SerializerMethodField()

    class Meta:
        model = Digest
        fields = ["date", "is_global", "created_at", "written_by", "headlines", "url"]

    def get_headlines(self, digest: Digest) -> list[str]:
        return [story["headline"] for story in digest.content["stories"]]

    @extend_schema_field(serializers.URLField())
    def get_url(self, digest: Digest) -> str:
        name = "api_digest_global_day" if digest.is_global else "api_digest_day"
        path = reverse(name, kwargs={"day": digest.date})
        return str(self.context["request"].build_absolute_uri(path))


class DigestToday(APIView):
    """The reader's digest or the site digest."""

    is_global = False

    @extend_schema(summary="Latest digest", responses=DigestSerializer)
    @unless_same
    def get(self, request: Request) -> Response:
        return Response(DigestSerializer(todays_digest(_owner(self, request))).data)

    @extend_schema(summary="Update today's digest", request=None, responses={202: dict[str, Any]})
    def post(self, request: Request) -> Response:
        owner, user = _owner(self, request), _user(request)
        if owner is None and not user.is_staff:
            raise PermissionDenied("Only staff can update the site digest.")
        if not spend(user, "write"):
            raise Throttled(wait=3600, detail="The limit of updates has been reached.")
        request_digest(owner, today_of(owner))
        return Response(progress_of(user, is_global=self.is_global), status=202)


class DigestWriting(APIView):
    is_global = False

    @extend_schema(summary="Progress of writing the digest", responses=dict[str, Any])
    def get(self, request: Request) -> Response:
        return Response(progress_of(_user(request), is_global=self.is_global))


class Digests(APIView):
    """All editions, newest first."""

    is_global = False

    @extend_schema(
        operation_id="digests_list",
        summary="All digests",
        parameters=[CURSOR, LIMIT],
        responses=paged(ListedDigestSerializer),
    )
    @unless_same
    def get(self, request: Request) -> Response:
        limit, cursor = page_size(request), read_cursor(request, 1)
        editions = Digest.objects.of(_owner(self, request))
        if cursor:
            editions = editions.filter(date__lt=_day_of(cursor[0]))
        found = list(editions[: limit + 1])
        shown = ListedDigestSerializer(found[:limit], many=True, context={"request": request})
        following = (found[limit - 1].date.toordinal(),) if len(found) > limit else None
        return page(request, shown.data, following)


@extend_schema_view(get=extend_schema(operation_id="digests_global_list"))
class GlobalDigests(Digests):
    """All site digests, newest first."""

    is_global = True


class OneDigest(APIView):
    is_global = False

    @extend_schema(summary="Digest of a day", responses=DigestSerializer)
    @unless_same
    def get(self, request: Request, day: date) -> Response:
        digest = Digest.objects.of(_owner(self, request)).filter(date=day).first()
        if digest is None:
            raise NotFound("There is no edition for that day.")
        return Response(DigestSerializer(digest).data)


def _user(request: Request) -> User:
    assert isinstance(request.user, User)
    return request.user


def _owner(view: Any, request: Request) -> User | None:
    return None if view.is_global else _user(request)


def _day_of(ordinal: int) -> date:
    return date.fromordinal(max(1, min(ordinal, date.max.toordinal())))
