"""REST API of editions: the latest, those of earlier days, and the progress of writing."""

from datetime import date
from typing import Any

from django.urls import path, reverse
from drf_spectacular.utils import extend_schema, extend_schema_field, extend_schema_view
from rest_framework import serializers
from rest_framework.exceptions import NotFound, PermissionDenied, Throttled
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import User
from digests.channels.allowance import spend
from digests.editions.progress import progress_of
from digests.editions.read import todays_digest
from digests.editions.writing import request_digest, today_of
from digests.models import Digest
from feeds.web.api.conditional import etag_by_content
from feeds.web.api.pages import page, page_size, read_cursor
from feeds.web.api.resource import CURSOR, LIMIT, ReaderView, paged


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


class DigestView(ReaderView):
    # Serves the reader's own editions, or those of the whole site. No docstring: see ReaderView.
    is_global = False

    @property
    def owner(self) -> User | None:
        return None if self.is_global else self.reader


class DigestToday(DigestView):
    """The reader's digest or the site digest."""

    @extend_schema(summary="Latest digest", responses=DigestSerializer)
    @etag_by_content
    def get(self, request: Request) -> Response:
        return Response(DigestSerializer(todays_digest(self.owner)).data)

    @extend_schema(summary="Update today's digest", request=None, responses={202: dict[str, Any]})
    def post(self, request: Request) -> Response:
        owner, user = self.owner, self.reader
        if owner is None and not user.is_staff:
            raise PermissionDenied("Only staff can update the site digest.")
        if not spend(user, "write"):
            raise Throttled(wait=3600, detail="The limit of updates has been reached.")
        request_digest(owner, today_of(owner))
        return Response(progress_of(user, is_global=self.is_global), status=202)


class DigestWriting(DigestView):
    @extend_schema(summary="Progress of writing the digest", responses=dict[str, Any])
    def get(self, request: Request) -> Response:
        return Response(progress_of(self.reader, is_global=self.is_global))


class Digests(DigestView):
    """All editions, newest first."""

    @extend_schema(
        operation_id="digests_list",
        summary="All digests",
        parameters=[CURSOR, LIMIT],
        responses=paged(ListedDigestSerializer),
    )
    @etag_by_content
    def get(self, request: Request) -> Response:
        limit, cursor = page_size(request), read_cursor(request, 1)
        editions = Digest.objects.of(self.owner)
        if cursor:
            editions = editions.filter(date__lt=_day_of(cursor[0]))
        editions_found = list(editions[: limit + 1])
        serializer = ListedDigestSerializer(
            editions_found[:limit], many=True, context={"request": request}
        )
        following = (
            (editions_found[limit - 1].date.toordinal(),) if len(editions_found) > limit else None
        )
        return page(request, serializer.data, following)


@extend_schema_view(get=extend_schema(operation_id="digests_global_list"))
class GlobalDigests(Digests):
    """All site digests, newest first."""

    is_global = True


class OneDigest(DigestView):
    @extend_schema(summary="Digest of a day", responses=DigestSerializer)
    @etag_by_content
    def get(self, request: Request, day: date) -> Response:
        digest = Digest.objects.of(self.owner).filter(date=day).first()
        if digest is None:
            raise NotFound("There is no edition for that day.")
        return Response(DigestSerializer(digest).data)


def _day_of(ordinal: int) -> date:
    return date.fromordinal(max(1, min(ordinal, date.max.toordinal())))


SITE = {"is_global": True}

urlpatterns = [
    path("digest/", DigestToday.as_view(), name="api_digest"),
    path("digest/writing/", DigestWriting.as_view(), name="api_digest_writing"),
    path("digest/global/", DigestToday.as_view(**SITE), name="api_digest_global"),
    path(
        "digest/global/writing/",
        DigestWriting.as_view(**SITE),
        name="api_digest_global_writing",
    ),
    path("digests/", Digests.as_view(), name="api_digests"),
    path("digests/<day:day>/", OneDigest.as_view(), name="api_digest_day"),
    path("digests/global/", GlobalDigests.as_view(), name="api_digests_global"),
    path("digests/global/<day:day>/", OneDigest.as_view(**SITE), name="api_digest_global_day"),
]
