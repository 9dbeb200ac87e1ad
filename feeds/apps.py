"""The feeds app: ingest, stories, search, reading."""

from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.models.signals import post_migrate


class FeedsConfig(AppConfig):
    name = "feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        post_migrate.connect(remake_index, sender=self)


def remake_index(sender: AppConfig, using: str, **_: Any) -> None:
    """A migration that alters a table on SQLite loses its triggers."""
    from feeds.search.sqlite_index import ensure_index

    connection = connections[using]
    if "feeds_itembody" in connection.introspection.table_names():
        ensure_index(connection)
