"""The URLs of the REST API, below /api/v1/.

A resource is one module with its serializers, its views and their `urlpatterns`.
"""

from collections.abc import Iterable
from typing import Any

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.costly import caller_of, slots

RESOURCES = (
    "feeds.web.api.sources",
    "feeds.web.api.items",
    "feeds.web.api.stories",
    "feeds.web.api.ranked",
    "feeds.web.api.marks",
    "feeds.web.api.taste",
    "feeds.web.api.trends",
    "feeds.web.api.search",
    "digests.web.api.editions",
    "digests.web.api.channels",
    "digests.web.api.ask",
)


class Schema(SpectacularAPIView):
    """The OpenAPI description of the API, which is public."""

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        with slots.taken(caller_of(request._request)):
            response: Response = super().get(request, *args, **kwargs)  # type: ignore[no-untyped-call]
            return response


def api_urlpatterns(resources: Iterable[str]) -> list[URLPattern | URLResolver]:
    """Return the URL patterns of the modules in `resources`."""
    return [
        path("schema/", Schema.as_view(), name="api_schema"),
        *(path("", include(resource)) for resource in resources),
    ]


urlpatterns = api_urlpatterns(RESOURCES)
