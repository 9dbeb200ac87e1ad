"""`manage.py costs` prints what an installation uses and what that costs."""

import json
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.conf import LazySettings
from django.core.management import CommandError, call_command
from django.utils import timezone

from ainews_site.costs import measure as measuring
from ainews_site.costs.measure import measure
from ainews_site.costs.processes import Processes
from ainews_site.costs.processes import measure as measure_processes
from ainews_site.costs.tiers import LANGUAGE, MEGABYTE, TIERS, Prices, read_prices
from feeds.ai.language.prices import DOLLAR
from feeds.models import FetchLog, LanguageUse
from tests.make import make_item, make_source, make_user

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def used(db: None, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two readers, a source, 100 new items and 3 MB in ten days, and language models in two
    months."""
    settings.DATA = tmp_path
    monkeypatch.setattr(measuring, "measure_processes", lambda: Processes(4, 0.01))
    source = make_source(reader=make_user("reader-one"))
    make_source(url="https://two.example/feed", reader=make_user("reader-two"))
    make_user("nobody")
    make_item(source, "An article")
    now = timezone.now()
    for days in (10, 5):
        at = now - timedelta(days=days)
        FetchLog.objects.create(source=source, at=at, new=50, size=1_500_000)
    for day, dollars in ((now.date(), 3), (now.date() - timedelta(days=40), 2)):
        LanguageUse.objects.create(
            day=day,
            model="small",
            purpose="digest",
            calls=10,
            tokens_in=1_800,
            tokens_out=220,
            cost=dollars * DOLLAR,
        )


def run(**options: object) -> str:
    out = StringIO()
    call_command("costs", stdout=out, no_color=True, **options)
    return out.getvalue()


def test_ten_days_are_extrapolated_to_a_month(used: None) -> None:
    usage = measure()

    assert usage.readers == 2
    assert usage.days == pytest.approx(10, abs=0.01)
    assert usage.new_items == pytest.approx(300, abs=1)
    assert usage.fetches == 6
    assert usage.fetched_bytes == pytest.approx(9_000_000, rel=0.01)
    assert usage.items >= 1
    assert usage.database_bytes >= 0
    assert usage.cpu_hours == pytest.approx(7.2)
    assert usage.language_dollars == 3
    assert [month.dollars for month in usage.language] == [3, 2]


def test_the_costs_are_a_readers_and_an_items(used: None) -> None:
    text = run()

    assert "  readers         2\n" in text
    assert "  new items       300\n" in text
    assert "7.2 hours, 0.010 cores, by 4 processes" in text
    assert "Tier: free" in text
    assert "  total               3.00\n" in text
    assert "  a reader            1.50\n" in text
    assert "  1,000 items        10.00\n" in text
    assert "never checked" in text


def test_json_has_the_same(used: None) -> None:
    costs = json.loads(run(json=True))

    assert costs["tier"] == "free"
    assert costs["dollars"] == 3
    assert costs["dollars_a_reader"] == 1.5
    assert costs["dollars_per_1000_items"] == pytest.approx(10, rel=0.01)
    assert costs["prices_checked"] is None
    assert costs["language"][0]["tokens_in"] == 1_800


def test_an_empty_installation_costs_nothing(
    db: None, settings: LazySettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA = tmp_path
    monkeypatch.setattr(measuring, "measure_processes", lambda: Processes(0, 0))

    text = run()

    assert "measured over 0.0 days" in text and "Too short to tell" in text
    assert "not measured: no process" in text
    assert "language model  not used" in text
    assert json.loads(run(json=True))["dollars_a_reader"] is None


def test_an_operator_gives_prices(used: None, tmp_path: Path) -> None:
    (tmp_path / "prices.toml").write_text("checked = 2026-11-30\n[free]\nworkers = 7\n")

    text = run()

    assert "  total              10.00\n" in text
    assert "Prices of 2026-11-30." in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[free]\nworkers = 7", "checked must be the day"),
        ("checked = 2026-11-30\n[cheap]", "There is no tier cheap"),
        ("checked = 2026-11-30\n[free]\ncake = 7", "free has no cake"),
        ("checked = 2026-11-30\n[free]\nworkers = -1", "workers of free must be dollars"),
        ("checked = 2026-11-30\n[free]\nworkers = nan", "workers of free must be dollars"),
        ("free = 5\nchecked = 2026-11-30", "free must be a table of prices"),
        ("checked = ", "Invalid value"),
    ],
)
def test_wrong_prices_are_refused(used: None, tmp_path: Path, text: str, problem: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)

    with pytest.raises(CommandError, match=problem):
        run(prices=file)


@pytest.mark.parametrize(
    ("readers", "megabytes", "name"),
    [
        (10, 500, "free"),
        (11, 500, "production"),
        (10, 501, "production"),
        (100, 10_000, "production"),
        (101, 1, "enterprise"),
        (1, 10_001, "enterprise"),
    ],
)
def test_a_tier_is_large_enough(readers: int, megabytes: int, name: str) -> None:
    assert Prices().tier_for(readers, megabytes * MEGABYTE).name == name


def test_the_plan_is_kept_where_the_operator_names_no_price() -> None:
    prices = read_prices("checked = 2026-11-30\n[production]\ndatabase = 30.5\n")

    assert prices.checked == date(2026, 11, 30)
    assert [tier.planned for tier in prices.tiers] == [0, 90.5, 650]
    assert [tier.planned for tier in TIERS] == [0, 85, 650]


def test_the_document_has_these_prices() -> None:
    text = (ROOT / "docs" / "costs.md").read_text()
    for name in ("pages", "database", "Redis", "workers", LANGUAGE):
        dollars = [
            next(f"{part.dollars:g}" for part in tier.parts if part.name == name) for tier in TIERS
        ]
        assert f"| {name} | {' | '.join(dollars)} |" in text
    example = text.partition("```text\n")[2].partition("```")[0]
    assert read_prices(example).checked == date(2026, 11, 30)


def process(proc: Path, pid: int, command: bytes, folder: Path, ticks: int) -> None:
    """A process that began 1,000 seconds ago."""
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "cwd").symlink_to(folder)
    (proc / str(pid) / "cmdline").write_bytes(command)
    fields = ["S"] + ["0"] * 10 + [str(ticks), "0", "0", "0"] + ["0"] * 4 + ["100000"] + ["0"] * 5
    (proc / str(pid) / "stat").write_text(f"{pid} (a) b) {' '.join(fields)}")


def test_the_cpu_time_of_our_processes_is_read(tmp_path: Path) -> None:
    proc, ours, other = tmp_path / "proc", tmp_path / "ours", tmp_path / "other"
    for folder in (proc, ours, other):
        folder.mkdir()
    (proc / "uptime").write_text("2000.0 1.0")
    process(proc, 5, b"python\0-m\0gunicorn\0", ours, 2_000)
    process(proc, 6, b"python\0manage.py\0worker\0", ours, 1_000)
    process(proc, 7, b"vim\0", ours, 9_000)
    process(proc, 8, b"python\0-m\0gunicorn\0", other, 9_000)
    (proc / "9").mkdir()

    assert measure_processes(proc, ours) == Processes(2, pytest.approx(0.03))
    assert measure_processes(tmp_path / "none", ours) == Processes(0, 0)
