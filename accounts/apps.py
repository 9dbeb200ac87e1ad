"""The accounts app: users, sign-in, preferences, API tokens."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from accounts import revocation
        from ainews_site.infra import postgres_times
        from ainews_site.infra import sqlite_lock as sqlite

        sqlite.connect()
        postgres_times.connect()
        revocation.register(revocation.API_TOKENS)
