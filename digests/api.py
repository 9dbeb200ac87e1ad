"""Today's digest over REST."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.models import User
from digests.models import Digest
from digests.read import todays_digest
from feeds.api.conditional import unless_same


class DigestSerializer(serializers.ModelSerializer[Digest]):
    class Meta:
        model = Digest
        fields = ["date", "created_at", "written_by", "content"]


class DigestToday(APIView):
    @extend_schema(summary="Today's digest", responses=DigestSerializer)
    @unless_same
    def get(self, request: Request) -> Response:
        assert isinstance(request.user, User)
        return Response(DigestSerializer(todays_digest(request.user)).data)
