"""The app of the site itself: settings, processes, checks, commands."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "ainews_site"

    def ready(self) -> None:
        from ainews_site import checks  # noqa: F401 - registers the checks
        from ainews_site.process import worker_process
        from ainews_site.queue import busy_lock

        busy_lock.connect()
        worker_process.connect()
