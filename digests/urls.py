"""Addresses of the digest."""

from datetime import date

from django.urls import path, register_converter

from digests import views
from digests.api import DigestToday
from digests.ask import views as ask_views
from digests.ask.api import Ask


class DayConverter:
    """`2026-08-22`; an impossible date is no address."""

    regex = r"\d{4}-\d{2}-\d{2}"

    def to_python(self, value: str) -> date:
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        return value.isoformat()


register_converter(DayConverter, "day")

urlpatterns = [
    path("digest/", views.digest_today, name="digest"),
    path("digest/<day:day>/", views.digest_day, name="digest_day"),
    path("ask/", ask_views.ask, name="ask"),
    path("ask/<int:pk>/", ask_views.ask_state, name="ask_state"),
    path("api/v1/digest/", DigestToday.as_view(), name="api_digest"),
    path("api/v1/ask/", Ask.as_view(), name="api_ask"),
]
