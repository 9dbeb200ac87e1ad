"""What API resources share. Each resource is a module that is listed in ainews_site/api.py."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from django.core.exceptions import ObjectDoesNotExist
from django.http import Http404
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers as fields
from rest_framework.views import APIView

from accounts.costly import caller_of, slots
from accounts.models import User

T = TypeVar("T")


def parameter(name: str, kind: Any, description: str) -> OpenApiParameter:
    return OpenApiParameter(name, kind, OpenApiParameter.QUERY, description=description)


CURSOR = parameter("cursor", OpenApiTypes.STR, "from `next` of the previous page")
LIMIT = parameter("limit", OpenApiTypes.INT, "page size; default 50, at most 200")
TOPIC = parameter("topic", OpenApiTypes.STR, "slug of a topic")
NO_CONTENT = {204: None}


def paged(serializer: type[Any]) -> Any:
    """The OpenAPI schema of a page of results."""
    name = serializer.__name__.removesuffix("Serializer")
    return inline_serializer(
        f"{name}Page",
        {"next": fields.URLField(allow_null=True), "results": serializer(many=True)},
    )


class ReaderView(APIView):
    # No docstring: drf-spectacular would publish it as the description of every endpoint.

    @property
    def reader(self) -> User:
        assert isinstance(self.request.user, User)
        return self.request.user

    def slot(self) -> AbstractContextManager[None]:
        # For what takes a CPU for a moment: the reader has a limited number of slots.
        return slots.taken(caller_of(self.request._request))


def validated(serializer: Any) -> dict[str, Any]:
    """Return the valid data. Otherwise the response is 400, with errors by field."""
    serializer.is_valid(raise_exception=True)
    return dict(serializer.validated_data)


def or_404(find: Callable[[], T]) -> T:
    """Call `find`. If it raises DoesNotExist, or if an id is too large, the response is 404."""
    try:
        return find()
    except (ObjectDoesNotExist, OverflowError):
        raise Http404("Not found, or not yours to see.") from None
