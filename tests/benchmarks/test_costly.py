"""The benchmark of costly requests runs through, on a library that is small."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_one_reader_attacks_and_another_reads(kind: str) -> None:
    if kind == "postgres" and missing():
        pytest.skip("needs PostgreSQL and Redis")
    command = [sys.executable, "benchmarks/costly.py", kind, "--items", "3000", "--seconds", "5"]

    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    assert "/river/" in done.stdout
    assert "429" in done.stdout
