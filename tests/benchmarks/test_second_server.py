"""The trial on two PostgreSQL servers runs through, on a library that is small."""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # filling takes minutes on a busy machine
def test_pages_work_with_half_of_the_months_on_another_server() -> None:
    if missing():
        pytest.skip("needs PostgreSQL and Redis")
    with tempfile.TemporaryDirectory(prefix="ainews-second-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        options = ["--items", "3000", "--runs", "3", "--folder", folder]
        command = [sys.executable, "benchmarks/second_server.py", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
    moved = re.search(r"([\d,]+) items of (\d+) partitions moved", done.stdout)
    assert moved and int(moved[1].replace(",", "")) > 1_000
    assert "shows something else" not in done.stdout
    for check in ("mark an old item", "ingest of an old entry", "change of an old item"):
        assert re.search(rf"^{check} +works", done.stdout, re.MULTILINE)
    assert re.search("^partition of a new month +works, with its primary key", done.stdout, re.M)
