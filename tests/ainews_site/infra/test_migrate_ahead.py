"""Migrations run in two steps: the old release survives the first one."""

import importlib
import shutil
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.db.migrations import operations
from django.db.migrations.loader import MigrationLoader

from ainews_site.infra.schema import is_contracting, unapplied_migrations

ADDITIVE = """
from django.db import migrations, models
class Migration(migrations.Migration):
    dependencies = [("accounts", "{last}")]
    operations = [migrations.CreateModel("Extra", [("id", models.AutoField(primary_key=True))])]
"""
CONTRACTING = """
from django.db import migrations
class Migration(migrations.Migration):
    dependencies = [("accounts", "{last}")]
    operations = [migrations.DeleteModel("{model}")]
"""
FROM_NOW_ON = {"accounts": 7, "digests": 8, "feeds": 18}
"""The number of the migration of each app from which on the rule holds."""
REMOVING = (
    operations.DeleteModel,
    operations.RemoveField,
    operations.RenameField,
    operations.RenameModel,
    operations.AlterModelTable,
)


@pytest.fixture
def folder(tmp_path: Path, settings: object, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the migrations of accounts, to which a test adds some."""
    package = tmp_path / "later_migrations"
    shutil.copytree(Path("accounts/migrations"), package)
    monkeypatch.syspath_prepend(str(tmp_path))
    settings.MIGRATION_MODULES = {"accounts": "later_migrations"}  # type: ignore[attr-defined]
    yield package
    for name in [name for name in sys.modules if name.startswith("later_migrations")]:
        del sys.modules[name]


def add(folder: Path, number: int, name: str, text: str) -> str:
    """Add a migration after the last one. Returns its name."""
    last = sorted(file.stem for file in folder.glob("[0-9]*.py"))[-1]
    stem = f"{number:04}_{name}"
    (folder / f"{stem}.py").write_text(text.replace("{last}", last))
    importlib.invalidate_caches()
    return stem


def migrate_ahead() -> str:
    out = StringIO()
    call_command("migrate_ahead", stdout=out, verbosity=0)
    return out.getvalue().strip()


def tables() -> list[str]:
    return connection.introspection.table_names()


@pytest.mark.django_db(transaction=True)
def test_what_the_old_release_survives_runs_first_and_the_rest_later(folder: Path) -> None:
    add(folder, 9000, "add_extra", ADDITIVE)
    removal = add(folder, 9001, "contract_drop_extra", CONTRACTING.replace("{model}", "Extra"))
    try:
        assert migrate_ahead() == f"Postponed: accounts.{removal}."
        assert "accounts_extra" in tables()
        assert migrate_ahead() == f"Postponed: accounts.{removal}."

        call_command("migrate", verbosity=0)

        assert "accounts_extra" not in tables()
        assert migrate_ahead() == "No migration was postponed."
    finally:
        call_command("migrate", "accounts", "9000", verbosity=0)
        call_command("migrate", "accounts", last_migration(), verbosity=0)


def last_migration() -> str:
    return sorted(file.stem for file in Path("accounts/migrations").glob("[0-9]*.py"))[-1]


@pytest.mark.django_db
def test_what_follows_a_postponed_migration_is_refused(folder: Path) -> None:
    removal = add(folder, 9000, "contract_drop", CONTRACTING.replace("{model}", "ApiToken"))
    addition = add(folder, 9001, "add_extra", ADDITIVE)

    with pytest.raises(CommandError) as error:
        migrate_ahead()

    assert str(error.value) == (
        f"accounts.{addition} follows accounts.{removal}, which the previous release does not"
        " survive. Install the release in between first, or stop AI News and run migrate."
    )
    assert "accounts_extra" not in tables()


@pytest.mark.django_db
def test_a_postponed_migration_is_not_missed(tmp_path: Path) -> None:
    assert is_contracting("0042_contract_drop_column")
    assert not is_contracting("0042_contractors")
    assert not unapplied_migrations()


def test_migrations_that_remove_something_are_postponed() -> None:
    """From now on: those of earlier releases have run everywhere."""
    migrations = MigrationLoader(None).disk_migrations.items()
    for (app, name), migration in migrations:
        if app in FROM_NOW_ON and int(name[:4]) >= FROM_NOW_ON[app] and not is_contracting(name):
            removing = [op for op in migration.operations if isinstance(op, REMOVING)]
            assert not removing, f"{app}.{name} must be named contract_…: {removing}"
