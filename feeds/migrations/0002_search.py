"""The full-text index."""

from typing import Any

from django.db import migrations

from feeds.search import sqlite_index


def make(apps: Any, schema_editor: Any) -> None:
    sqlite_index.ensure_index(schema_editor.connection)


def drop(apps: Any, schema_editor: Any) -> None:
    sqlite_index.drop_index(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("feeds", "0001_initial")]
    operations = [migrations.RunPython(make, drop)]
