"""The site itself: settings, serving, checks."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ainews_site"

    def ready(self) -> None:
        from ainews_site import checks, in_hand, worker_process  # noqa: F401 - registers the checks

        in_hand.connect()
        worker_process.connect()
