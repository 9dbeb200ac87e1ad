"""Whether the database has the tables that this program needs."""

from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.db import Error, OperationalError, ProgrammingError, connection
from django.db.migrations.recorder import MigrationRecorder

from ainews_site.infra.db_errors import in_words
from ainews_site.infra.invocation import manage_command

DEMO = Path("var") / "demo"
"""DATA of `make demo`, below the program's folder."""


def unapplied_migrations() -> set[tuple[str, str]]:
    """(app, name) of each migration on the disk that the database does not record. The modules
    are not imported, so a web process can afford to ask."""
    on_disk = {
        (config.label, file.stem)
        for config in apps.get_app_configs()
        for file in Path(config.path, "migrations").glob("[0-9]*.py")
    }
    return on_disk - MigrationRecorder(connection).applied_migrations().keys()


def schema_problem() -> str:
    """What is wrong with the tables and what to do, in words; empty when nothing is."""
    if not unapplied_migrations():
        return ""
    name = f"The database {connection.settings_dict['NAME']}"
    if is_empty():
        return f"{name} has no tables yet. Run {manage_command()} migrate{_other_data()}"
    return f"{name} is of an older version. Run {manage_command()} migrate"


def is_empty() -> bool:
    """Whether it has none of our tables."""
    return "feeds_item" not in connection.introspection.table_names()


def explain(error: BaseException) -> str:
    """The same where `error` may come of it, else empty."""
    if not isinstance(error, OperationalError | ProgrammingError):
        return ""
    try:
        return schema_problem()
    except Error:  # it cannot be asked, which is another problem
        return ""


def problem_in_words(error: BaseException) -> str:
    """What is wrong with the database by this error of it, and what to do; "" for what only a
    programmer understands."""
    return explain(error) or in_words(error, settings.DATABASES["default"])


def _other_data() -> str:
    """Commands for the sample newsroom are often called without its DATA."""
    demo = settings.BASE_DIR / DEMO
    is_there = demo != settings.DATA and (demo / "ainews.sqlite3").exists()
    if connection.vendor != "sqlite" or not is_there:
        return ""
    return f", or set DATA={DEMO} for the sample newsroom of `make demo`"
