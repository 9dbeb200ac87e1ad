"""The app of the site itself: settings, processes, checks, commands."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps


class SiteConfig(AppConfig):
    name = "ainews_site"
    default = True

    def ready(self) -> None:
        from ainews_site import checks  # noqa: F401 - registers the checks
        from ainews_site.process import worker_process
        from ainews_site.queue import busy_lock, give_back

        busy_lock.connect()
        give_back.connect()
        worker_process.connect()


class SiteAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with our site."""

    default = False
    default_site = "ainews_site.admin_site.Admin"
