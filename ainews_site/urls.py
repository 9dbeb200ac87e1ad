"""All addresses of the platform."""

from django.contrib import admin
from django.urls import include, path

from ainews_site.health import health

urlpatterns = [
    path("health", health, name="health"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("feeds.api.urls")),
    path("", include("accounts.urls")),
    path("", include("digests.urls")),
    path("", include("feeds.urls")),
]
