"""The site itself: settings, serving, checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ainews_site"

    def ready(self) -> None:
        from ainews_site import checks  # noqa: F401 - registers them
