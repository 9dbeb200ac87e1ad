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
    """SQLite remakes no table that the search's view or triggers read."""
    from feeds.search.sqlite_index import detach_index

    if any(migration.app_label == sender.label for migration, _ in plan):
        detach_index(connections[using])


def attach_search(sender: AppConfig, using: str, **_: Any) -> None:
    """Make the index, or what a migration took of it."""
    from feeds.search.sqlite_index import ensure_index

    connection = connections[using]
    if "feeds_itembody" in connection.introspection.table_names():
        ensure_index(connection)
