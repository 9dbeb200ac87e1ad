"""The feeds app: ingest, stories, search, reading."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.db import connections
from django.db.migrations import Migration
from django.db.models.signals import post_migrate, pre_migrate


class FeedsConfig(AppConfig):
    name = "feeds"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        pre_migrate.connect(detach_search, sender=self)
        post_migrate.connect(attach_search, sender=self)


def detach_search(
    sender: AppConfig, using: str, plan: Sequence[tuple[Migration, bool]] = (), **_: Any
) -> None:
    """Drop the view and the triggers of the search before SQLite migrates their tables."""
    from feeds.search.sqlite.index import detach_index

    connection = connections[using]
    if connection.vendor == "sqlite" and any(
        migration.app_label == sender.label for migration, _ in plan
    ):
        detach_index(connection)


def attach_search(sender: AppConfig, using: str, **_: Any) -> None:
    """Create the search index, or what a migration dropped of it, and the next partitions."""
    from feeds.core import partitions
    from feeds.search.postgres import index as postgres_index
    from feeds.search.sqlite import index as sqlite_index

    connection = connections[using]
    if "feeds_itembody" not in connection.introspection.table_names():
        return
    if connection.vendor == "sqlite":
        sqlite_index.ensure_index(connection)
    else:
        postgres_index.ensure_index(connection)
        postgres_index.complete(partitions.ensure_months_ahead())
