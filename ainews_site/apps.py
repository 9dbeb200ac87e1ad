"""The app of the site itself: settings, processes, checks, commands."""

from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.contrib.admin import apps as admin_apps
from django.db.models.signals import post_migrate


class SiteConfig(AppConfig):
    name = "ainews_site"
    default = True

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker

        from ainews_site import checks  # noqa: F401 - registers the checks
        from ainews_site.infra.releases import record_release
        from ainews_site.process import worker_process
        from ainews_site.queue import busy_lock, give_back, measure

        post_migrate.connect(record_release, sender=apps.get_app_config("feeds"))
        busy_lock.connect()
        give_back.connect()
        worker_process.connect()
        _observe()
        if settings.METRICS:
            measure.connect()
            post_execute_in_worker.connect(_after_task, dispatch_uid="metrics_history")


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
        from ainews_site.metrics import otlp
        from ainews_site.observe import tracing

        tracing.enable(program_version(), otlp.register)


def _after_task(**_: Any) -> None:
    """Take a sample for the page at /ops/. Other processes do not need its modules."""
    from ainews_site.metrics.history import sample_if_due

    sample_if_due()


class SiteAdminConfig(admin_apps.SimpleAdminConfig):
    """Django's admin with our site."""

    default = False
    default_site = "ainews_site.admin_site.Admin"
