"""`manage.py doctor --production` checks all rows, and tests of the installation are recorded."""

import json
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command

from ainews_site.management.commands import doctor
from ainews_site.production import proofs
from ainews_site.production.checklist import ROWS, run_row
from ainews_site.production.row import Outcome, Row, State, not_done, ok, warning

ROOT = Path(__file__).resolve().parents[3]
pytestmark = pytest.mark.django_db


def test_the_seed_has_14_rows() -> None:
    assert len(ROWS) == len({row.name for row in ROWS}) == 14


def test_the_document_has_each_row_with_its_proof() -> None:
    text = (ROOT / "docs" / "production-checklist.md").read_text()

    for number, row in enumerate(ROWS, 1):
        assert f"| {number} | {row.title} |" in text
        assert f"`{row.proof}`" in text


def row_of(outcome: Outcome) -> Row:
    return Row("row", "A row", lambda: outcome, "make proof")


def run(monkeypatch: pytest.MonkeyPatch, *outcomes: Outcome, **options: bool) -> tuple[str, int]:
    """Return what the command prints about these outcomes, and its exit status."""
    monkeypatch.setattr(doctor, "ROWS", [row_of(outcome) for outcome in outcomes])
    out = StringIO()
    try:
        call_command("doctor", production=True, stdout=out, no_color=True, **options)
    except SystemExit as error:
        return out.getvalue(), int(str(error.code))
    return out.getvalue(), 0


def test_a_warning_passes_and_what_is_not_done_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    text, status = run(monkeypatch, ok("Fine."), warning("Old.", "Renew it."))
    assert status == 0
    assert "ok         1  A row: Fine.\n" in text
    assert "warning    2  A row: Old.\n              Renew it.\n" in text
    assert "1 ok, 1 warning, 0 not done." in text

    text, status = run(monkeypatch, not_done("Missing.", "Make it."))
    assert status == 1
    assert "not done   1  A row: Missing.\n              Make it.\n" in text


def test_json_has_all_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    text, status = run(monkeypatch, not_done("Missing.", "Make it."), json=True)

    assert status == 1
    assert json.loads(text) == [
        {
            "name": "row",
            "title": "A row",
            "state": "not done",
            "sentence": "Missing.",
            "remedy": "Make it.",
            "proof": "make proof",
        }
    ]


def test_a_check_that_fails_is_not_done() -> None:
    def broken() -> Outcome:
        raise ValueError("no such thing")

    outcome = run_row(Row("row", "A row", broken, "make proof"))

    assert outcome == not_done("The check failed (no such thing).", "Run make proof.")


def test_all_rows_are_checked_without_a_running_site(
    settings: LazySettings, tmp_path: Path
) -> None:
    settings.DATA, settings.SITE_URL = tmp_path, "http://127.0.0.1:9"
    out = StringIO()
    with pytest.raises(SystemExit):
        call_command("doctor", production=True, json=True, stdout=out)

    rows = json.loads(out.getvalue())
    assert [row["name"] for row in rows] == [row.name for row in ROWS]
    assert not [row for row in rows if "The check failed" in row["sentence"]]
    assert all(row["remedy"] for row in rows if row["state"] != "ok")


@pytest.mark.parametrize("name", proofs.PROOFS)
def test_a_test_of_the_installation_is_recorded(
    settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    settings.DATA = tmp_path
    assert proofs.proof(name).state == State.NOT_DONE
    assert f"--did {name}" in proofs.proof(name).remedy

    run(monkeypatch, ok("Fine."), did=name)  # type: ignore[arg-type]
    assert proofs.proof(name).state == State.OK

    long_ago = datetime.now(UTC) - timedelta(days=200)
    (tmp_path / "production.json").write_text(json.dumps({name: long_ago.isoformat()}))
    assert proofs.proof(name).state == State.WARNING
    assert "200 days ago" in proofs.proof(name).sentence


@pytest.mark.parametrize("text", ["", "[]", '{"load": 3}', '{"load": "yesterday"}'])
def test_a_broken_record_records_nothing(settings: LazySettings, tmp_path: Path, text: str) -> None:
    settings.DATA = tmp_path
    (tmp_path / "production.json").write_text(text)

    assert proofs.load_tested().state == State.NOT_DONE


def test_only_the_checklist_records() -> None:
    with pytest.raises(CommandError, match="--did needs --production"):
        call_command("doctor", did="load")


def test_the_usual_checks_print_json_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "CHECKS", {"clock": None})
    monkeypatch.setattr(doctor, "run_check", lambda name: "")
    out = StringIO()

    call_command("doctor", json=True, stdout=out)

    assert json.loads(out.getvalue()) == {"clock": ""}
