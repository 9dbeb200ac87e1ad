"""The root URL configuration."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from ainews_site.health import health, live, ready
from ainews_site.installable import manifest, offline, service_worker
from ainews_site.metrics_view import metrics
from ainews_site.operations import operations

admin.autodiscover()

handler400 = "ainews_site.errors.bad_request"
handler500 = "ainews_site.unavailable.server_error"

urlpatterns = [
    path("metrics", metrics, name="metrics"),
    path("ops/", operations, name="operations"),
    path("health", health, name="health"),
    path("health/live", live, name="health_live"),
    path("health/ready", ready, name="health_ready"),
    path("manifest.webmanifest", manifest, name="manifest"),
    path("worker.js", service_worker, name="service_worker"),
    path("offline/", offline, name="offline"),
    # The preferences have the only form for one's own password, which is throttled.
    path("admin/password_change/", RedirectView.as_view(url="/preferences/#password")),
    path("admin/", admin.site.urls),
    path("api/v1/", include("ainews_site.api")),
    path("", include("accounts.urls")),
    path("", include("digests.urls")),
    path("", include("feeds.urls")),
]
