"""The rows of the checklist on the database, in both states, on SQLite and PostgreSQL."""

import hashlib
import json
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.db import connection

from ainews_site.backup.sqlite import SUFFIXES, Manifest, manifest_of
from ainews_site.production import database
from ainews_site.production.row import State
from tests.make import make_source

on_postgres = pytest.mark.skipif(
    connection.vendor != "postgresql", reason="python -m tests.services postgres -- pytest"
)


@pytest.mark.django_db
def test_sqlite_is_not_done_and_postgresql_is() -> None:
    outcome = database.migrated()

    if connection.vendor == "postgresql":
        assert outcome.state == State.OK
        assert outcome.sentence.startswith("PostgreSQL ")
    else:
        assert outcome.state == State.NOT_DONE
        assert "migrate_to_postgres" in outcome.remedy


@pytest.mark.django_db
def test_missing_migrations_are_not_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "schema_problem", lambda: "Run manage.py migrate")

    outcome = database.migrated()

    assert (outcome.state, outcome.remedy) == (State.NOT_DONE, "Run manage.py migrate.")


@pytest.mark.django_db
def test_a_missing_index_is_named() -> None:
    assert database.missing_indexes() == []
    with connection.cursor() as cursor:
        cursor.execute("DROP INDEX fetchlog_newest")

    outcome = database.indexed()

    assert outcome.state == State.NOT_DONE
    assert outcome.sentence == "1 index is missing: fetchlog_newest."


@on_postgres
@pytest.mark.django_db(transaction=True)
def test_tables_are_analysed_and_indexes_valid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "FEW_ROWS", 5)
    with connection.cursor() as cursor:
        for number in range(10):
            make_source(url=f"https://{number}.example/")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        sentence = database.indexed().sentence
        assert "never analysed: " in sentence  # other tests may have filled tables too
        assert "feeds_source" in sentence

        cursor.execute("ANALYZE")
        assert database.indexed().state == State.OK

        cursor.execute("UPDATE feeds_source SET weight = 2")
        cursor.execute("SELECT pg_stat_force_next_flush()")
        outcome = database.indexed()
        assert outcome.state == State.WARNING
        assert "feeds_source" in outcome.sentence

        which = "indexrelid = 'fetchlog_newest'::regclass"
        cursor.execute(f"UPDATE pg_index SET indisvalid = false WHERE {which}")
        try:
            outcome = database.indexed()
            assert outcome.state == State.NOT_DONE
            assert outcome.remedy == "Run REINDEX INDEX CONCURRENTLY fetchlog_newest."
        finally:
            cursor.execute(f"UPDATE pg_index SET indisvalid = true WHERE {which}")


@pytest.mark.django_db
def test_sqlite_is_analysed() -> None:
    if connection.vendor != "sqlite":
        pytest.skip("needs SQLite")
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    assert database.indexed().state == State.OK


def make_backup(folder: Path, age: timedelta) -> Path:
    folder.mkdir()
    file = folder / f"ainews-20260101T000000Z{SUFFIXES[connection.vendor]}"
    file.write_bytes(b"rows")
    made_at = (datetime.now(UTC) - age).isoformat()
    digest = hashlib.sha256(b"rows").hexdigest()
    manifest = Manifest(connection.vendor, made_at, 4, digest, {"feeds_item": 1_200}, [])
    manifest_of(file).write_text(json.dumps(asdict(manifest)))
    return file


def test_a_backup_must_exist_be_new_and_unchanged(tmp_path: Path, settings: LazySettings) -> None:
    settings.DATA = tmp_path
    assert database.backed_up().state == State.NOT_DONE

    file = make_backup(tmp_path / "backups", timedelta(hours=3))
    outcome = database.backed_up()
    assert outcome.state == State.OK
    assert "with 1,200 items is 3 hours old" in outcome.sentence

    file.write_bytes(b"ruin")
    assert database.backed_up().state == State.NOT_DONE


def test_an_old_backup_is_a_warning(tmp_path: Path, settings: LazySettings) -> None:
    settings.DATA = tmp_path
    make_backup(tmp_path / "backups", timedelta(hours=30))

    outcome = database.backed_up()

    assert outcome.state == State.WARNING
    assert "30 hours old" in outcome.sentence
