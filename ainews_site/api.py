"""Addresses of the REST API, below /api/v1/.

A resource is one module with its serializers, its views and their addresses, `urlpatterns`.
"""

from collections.abc import Iterable

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

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


def addresses(resources: Iterable[str]) -> list[URLPattern | URLResolver]:
    return [
        path("schema/", SpectacularAPIView.as_view(), name="api_schema"),
        *(path("", include(resource)) for resource in resources),
    ]


urlpatterns = addresses(RESOURCES)
