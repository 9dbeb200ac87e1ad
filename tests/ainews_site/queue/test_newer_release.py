"""A running worker reports that a newer release uses its database."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from ainews_site.infra.releases import RECORD, record_release
from ainews_site.infra.version import program_version
from ainews_site.queue import schedule_repair
from ainews_site.queue.schedule_repair import ClockCheck


@pytest.mark.django_db
def test_a_newer_release_is_reported_once_while_a_worker_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schedule_repair, "PERIOD", 0.0)
    monkeypatch.setattr(connection, "close", lambda: None)  # the test needs its transaction
    check = ClockCheck()
    check.run_if_due()
    assert capsys.readouterr().out == ""
    MigrationRecorder(connection).record_applied(RECORD, "99.1.0")
    check.run_if_due()
    printed = capsys.readouterr().out
    assert f"This is AI News {program_version()}, but the database is already used by 99.1.0" in (
        printed
    )
    check.run_if_due()
    assert capsys.readouterr().out == ""


@pytest.mark.django_db
def test_a_release_is_recorded_once() -> None:
    record_release()
    record_release()
    records = MigrationRecorder(connection).migration_qs.filter(app=RECORD)
    assert [record.name for record in records] == [program_version()]
