"""URLs of digests, their delivery and questions."""

from django.urls import path

from digests.web.views import ask as ask_views
from digests.web.views import channels, editions, links, reports

SITE_DIGEST = {"is_global": True}

urlpatterns = [
    path("ask/", ask_views.ask, name="ask"),
    path("ask/<int:pk>/", ask_views.ask_state, name="ask_state"),
    path("digest/", editions.digest_today, name="digest"),
    path("digest/<day:day>/", editions.digest_day, name="digest_day"),
    path("digest/global/", editions.digest_global, name="digest_global"),
    path("digest/global/<day:day>/", editions.digest_global_day, name="digest_global_day"),
    path("digest/<day:day>/report/<int:pk>/", reports.digest_report, name="digest_report"),
    path(
        "digest/global/<day:day>/report/<int:pk>/",
        reports.digest_report,
        SITE_DIGEST,
        name="digest_global_report",
    ),
    path("story/<int:pk>/report/", reports.story_report, name="story_report"),
    path("reports/<int:pk>/withdraw/", reports.report_withdraw, name="report_withdraw"),
    path("digest/writing/", editions.writing, name="digest_writing"),
    path("digest/global/writing/", editions.writing, SITE_DIGEST, name="digest_global_writing"),
    path("digest/delivery/", channels.channels, name="digest_channels"),
    path("digest/delivery/<int:pk>/", channels.channel, name="digest_channel"),
    path("digest/feed/<str:token>.atom", links.feed, name="digest_feed"),
    path("digest/unsubscribe/<str:token>/", links.unsubscribe, name="digest_unsubscribe"),
    path("digest/confirm/<str:token>/", links.confirm, name="digest_confirm"),
    path("digests/", editions.archive, name="digests"),
    path("digests/<int:year>/<int:month>/", editions.archive, name="digest_archive"),
    path("digests/global/", editions.archive, SITE_DIGEST, name="digests_global"),
    path(
        "digests/global/<int:year>/<int:month>/",
        editions.archive,
        SITE_DIGEST,
        name="digest_archive_global",
    ),
]
