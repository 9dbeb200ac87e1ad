"""Addresses of the REST API, below /api/v1/.

A resource is one module with its serializers, its views and their addresses, `urlpatterns`.
"""

from collections.abc import Iterable

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

RESOURCES = (
    "feeds.api.sources",
    "feeds.api.items",
    "feeds.api.stories",
    "feeds.api.ranked",
    "feeds.api.marks",
    "feeds.api.taste",
    "feeds.api.trends",
    "feeds.api.search",
    "digests.api",
    "digests.api_channels",
    "digests.ask.api",
)


def addresses(resources: Iterable[str]) -> list[URLPattern | URLResolver]:
    return [
        path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
        *(path("", include(resource)) for resource in resources),
    ]


urlpatterns = addresses(RESOURCES)
