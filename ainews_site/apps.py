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
        _observe()


def _observe() -> None:
    """Hide the secrets of the settings from logs, and start what the settings ask for."""
    from django.conf import settings

    from ainews_site.config.logs import secrets_of
    from ainews_site.infra.version import program_version
    from ainews_site.observe import excepthooks, redact, tasks

    redact.protect(secrets_of(settings))
    tasks.connect()
    if settings.LOG_FORMAT == "json":
        excepthooks.install()
    if settings.SENTRY_DSN:
        from ainews_site.observe import sentry

        release = f"ainews@{program_version()}"
        sentry.start(settings.SENTRY_DSN, settings.SENTRY_ENVIRONMENT, release)
    if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
        from ainews_site.observe import tracing

        tracing.enable(program_version())


class SiteAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with our site."""

    default = False
    default_site = "ainews_site.admin_site.Admin"
