"""Checks that the database has all migrations of this version."""

import re
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import Error, OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder

from ainews_site.infra.db_errors import in_words
from ainews_site.infra.invocation import DEMO, manage_command, shown
from ainews_site.infra.places import demo_data


def is_contracting(name: str) -> bool:
    """Return True if the previous release does not survive the migration of this name.

    Such a migration removes what only that release uses. It runs after the previous release has
    ended, and this release works with and without it.
    """
    return bool(re.match(r"\d+_contract_", name))


def unapplied_migrations() -> set[tuple[str, str]]:
    """Return (app, name) of each migration file that the database does not record.

    Contracting migrations may be missing. The migrations are not imported, so this is cheap enough
    for a web process.
    """
    on_disk = {
        (config.label, file.stem)
        for config in apps.get_app_configs()
        for file in Path(config.path, "migrations").glob("[0-9]*.py")
        if not is_contracting(file.stem)
    }
    return on_disk - MigrationRecorder(connection).applied_migrations().keys()


def schema_problem() -> str:
    """Return a sentence on missing migrations that says what to do, or "" if none is missing."""
    if not unapplied_migrations():
        return ""
    name = f"The database {connection.settings_dict['NAME']}"
    if has_no_tables():
        return f"{name} has no tables yet. Run {manage_command()} migrate{_other_data()}"
    return f"{name} is from an older version. Run {manage_command()} migrate"


def has_no_tables() -> bool:
    return "feeds_item" not in connection.introspection.table_names()


def explain(error: BaseException) -> str:
    """Return `schema_problem()` if missing migrations may have caused `error`, else ""."""
    if not isinstance(error, OperationalError | ProgrammingError):
        return ""
    try:
        return schema_problem()
    except Error:  # the database cannot be queried, which is a different problem
        return ""


def problem_in_words(error: BaseException) -> str:
    """Return a sentence that explains a database error and says what to do, or "" if none fits."""
    return explain(error) or in_words(error, settings.DATABASES["default"])


def _other_data() -> str:
    """Return a hint if the sample newsroom exists, whose DATA is easily left out of a command."""
    demo = demo_data()
    has_demo = demo != settings.DATA and (demo / "ainews.sqlite3").exists()
    if connection.vendor != "sqlite" or not has_demo:
        return ""
    return f", or set DATA={shown(demo)} for the sample newsroom of `{DEMO}`"
