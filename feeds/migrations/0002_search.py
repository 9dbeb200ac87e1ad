"""The full-text index. It is made after all migrations, by feeds.apps: were its view
and triggers there before, SQLite would refuse the later ones that remake a table."""

from typing import Any

from django.db import migrations

from feeds.search.postgres import index as postgres_index
from feeds.search.sqlite import index as sqlite_index


def drop(apps: Any, schema_editor: Any) -> None:
    index = sqlite_index if schema_editor.connection.vendor == "sqlite" else postgres_index
    index.drop_index(schema_editor.connection)


class Migration(migrations.Migration):
    dependencies = [("feeds", "0001_initial")]
    operations = [migrations.RunPython(migrations.RunPython.noop, drop)]
