"""Addresses of the digest."""

from datetime import date

from django.urls import path, register_converter

from digests.api import Digests, DigestToday, DigestWriting, GlobalDigests, OneDigest
from digests.ask import views as ask_views
from digests.ask.api import Ask
from digests.views import channels, editions, links


class DayConverter:
    """`2026-08-22`; an impossible date is no address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


register_converter(DayConverter, "day")

EVERYONES = {"is_global": True}

urlpatterns = [
    path("ask/", ask_views.ask, name="ask"),
    path("ask/<int:pk>/", ask_views.ask_state, name="ask_state"),
    path("api/v1/ask/", Ask.as_view(), name="api_ask"),
    path("digest/", editions.digest_today, name="digest"),
    path("digest/<day:day>/", editions.digest_day, name="digest_day"),
    path("digest/global/", editions.digest_global, name="digest_global"),
    path("digest/global/<day:day>/", editions.digest_global_day, name="digest_global_day"),
    path("digest/writing/", editions.writing, name="digest_writing"),
    path("digest/global/writing/", editions.writing, EVERYONES, name="digest_global_writing"),
    path("digest/delivery/", channels.channels, name="digest_channels"),
    path("digest/delivery/<int:pk>/", channels.channel, name="digest_channel"),
    path("digest/feed/<str:token>.atom", links.feed, name="digest_feed"),
    path("digest/unsubscribe/<str:token>/", links.unsubscribe, name="digest_unsubscribe"),
    path("digest/confirm/<str:token>/", links.confirm, name="digest_confirm"),
    path("digests/", editions.archive, name="digests"),
    path("digests/<int:year>/<int:month>/", editions.archive, name="digest_archive"),
    path("digests/global/", editions.archive, EVERYONES, name="digests_global"),
    path(
        "digests/global/<int:year>/<int:month>/",
        editions.archive,
        EVERYONES,
        name="digest_archive_global",
    ),
    path("api/v1/digest/", DigestToday.as_view(), name="api_digest"),
    path("api/v1/digest/writing/", DigestWriting.as_view(), name="api_digest_writing"),
    path("api/v1/digest/global/", DigestToday.as_view(is_global=True), name="api_digest_global"),
    path(
        "api/v1/digest/global/writing/",
        DigestWriting.as_view(is_global=True),
        name="api_digest_global_writing",
    ),
    path("api/v1/digests/", Digests.as_view(), name="api_digests"),
    path("api/v1/digests/<day:day>/", OneDigest.as_view(), name="api_digest_day"),
    path("api/v1/digests/global/", GlobalDigests.as_view(), name="api_digests_global"),
    path(
        "api/v1/digests/global/<day:day>/",
        OneDigest.as_view(is_global=True),
        name="api_digest_global_day",
    ),
]
