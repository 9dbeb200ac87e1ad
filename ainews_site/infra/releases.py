"""Which releases have used the database, so that an older one beside a newer one is noticed.

The table of migrations records each release as if it were a migration of the app RECORD, which does
not exist. So every database has the record, also one of an earlier release, and the query that
checks for missing migrations reads it.
"""

from pathlib import Path

from django.apps import apps
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ainews_site.infra.schema import is_contracting
from ainews_site.infra.version import program_version, sort_key

RECORD = "ainews_release"
OURS = ("accounts", "digests", "feeds")


def is_release(migration: str) -> bool:
    """Return True if `migration`, as "app.name", is such a record."""
    return migration.startswith(f"{RECORD}.")


def record_release(**_: object) -> None:
    """Record that this release uses the database. It is called after each migration too."""
    recorder = MigrationRecorder(connection)
    if recorder.has_table() and (RECORD, program_version()) not in recorder.applied_migrations():
        recorder.record_applied(RECORD, program_version())


def newer_release() -> str:
    """Return the newest release that has used the database, if it is newer than this one."""
    ours = sort_key(program_version())
    versions = [name for app, name in _applied() if app == RECORD]
    newest = max(versions, key=sort_key, default="")
    return newest if newest and sort_key(newest) > ours else ""


def older_problem() -> str:
    """Return a sentence if this release is too old for the database, else "".

    An older release works with all migrations of the next one that do not remove anything; see
    `is_contracting`.
    """
    unknown = _unknown_migrations()
    release = newer_release()
    if not any(is_contracting(name) for _, name in unknown) and (release or not unknown):
        return ""
    newer = f"AI News {release}" if release else "a newer version of AI News"
    return (
        f"The database {connection.settings_dict['NAME']} was upgraded by {newer}, and this is"
        f" {program_version()}, which cannot use it any more. Upgrade this machine, or restore the"
        " backup that was made before the upgrade."
    )


def older_warning() -> str:
    """Return a sentence if a newer release uses the database too, else ""."""
    if not (release := newer_release()):
        return ""
    return (
        f"This is AI News {program_version()}, but the database is already used by {release}."
        " It still works. Upgrade this machine soon."
    )


def _applied() -> set[tuple[str, str]]:
    return set(MigrationRecorder(connection).applied_migrations())


def _unknown_migrations() -> set[tuple[str, str]]:
    """Return the migrations of our apps in the database that are newer than all of this release."""
    last = {
        config.label: max(file.stem for file in Path(config.path, "migrations").glob("[0-9]*.py"))
        for config in apps.get_app_configs()
        if config.label in OURS
    }
    return {(app, name) for app, name in _applied() if name > last.get(app, "9999_")}
