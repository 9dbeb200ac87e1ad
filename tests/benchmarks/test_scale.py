"""The benchmarks of size run through, on a library that is small."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_library_is_made_and_measured(kind: str) -> None:
    if kind == "postgres" and "postgresql-15" in missing():
        pytest.skip("needs postgresql-15")
    command = [sys.executable, "benchmarks/scale.py", kind, "--items", "3000"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "3,000 items" in done.stdout
    measured, pages = done.stdout.split("eight clients")
    for act in ("river, unread only", "stories, ranked", "search, phrase", "mark all read"):
        assert act in measured
    assert "search, rare word" in pages
