"""The drill runs through, and notices what is lost."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from benchmarks.drill.report import Result
from benchmarks.drill.site import judge
from benchmarks.drill.sqlite import available
from benchmarks.drill.tables import differences
from benchmarks.drill.writers import Acknowledged
from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]


def test_lost_writes_are_counted_and_the_oldest_decides() -> None:
    written = [Acknowledged(100.0, 1, 7), Acknowledged(170.0, 1, 8), Acknowledged(175.0, 2, 8)]
    result = Result("a loss", rto=3)

    judge(result, written, {(1, 8)}, lost_at=180.0)

    assert (result.acknowledged, result.lost, result.rpo) == (3, 2, 80.0)
    assert not result.is_good
    assert "BAD" in str(result)


def test_tables_that_differ_are_named() -> None:
    before = {"a": (1, "x"), "b": (2, "y"), "c": (3, "z")}

    assert differences(before, before) == []
    changed = differences(before, before | {"b": (2, "w"), "d": (1, "v")})
    assert [line.split(":")[0] for line in changed] == ["b", "d"]


@pytest.mark.slow
@pytest.mark.timeout(1_200)
def test_everything_is_restored() -> None:
    if missing() or not available():
        pytest.skip("needs PostgreSQL, Redis and Litestream")
    with tempfile.TemporaryDirectory(prefix="ainews-drill-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        command = [sys.executable, "-m", "benchmarks.drill", "--items", "2000", "--folder", folder]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(" good") == 6, done.stdout
