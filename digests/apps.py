"""The digests app: the daily edition."""

from django.apps import AppConfig


class DigestsConfig(AppConfig):
    name = "digests"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from django.urls import register_converter

        from digests.web.day import DayConverter

        register_converter(DayConverter, "day")
