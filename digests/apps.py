"""The digests app: the daily edition."""

from django.apps import AppConfig


class DigestsConfig(AppConfig):
    name = "digests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.urls import register_converter

        from accounts import revocation
        from digests.web.day import DayConverter
        from digests.web.revocation import FEED_ADDRESSES

        register_converter(DayConverter, "day")
        revocation.register(FEED_ADDRESSES)
