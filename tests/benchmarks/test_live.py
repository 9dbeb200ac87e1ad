"""The benchmark of live updates runs through, with few sockets on real servers."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
LINES = ("connect", "memory per socket", "event", "counts", "idle")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_every_socket_gets_its_messages(kind: str) -> None:
    if kind == "postgres" and missing():
        pytest.skip(f"needs {missing()}")
    command = [sys.executable, "benchmarks/live.py", kind, "--sockets", "30", "--unbudgeted"]
    servers = ["--servers", "2"] if kind == "postgres" else []
    environment = os.environ | {"DATABASE_URL": "", "REDIS_URL": ""}

    run = subprocess.run(
        [*command, *servers], cwd=ROOT, env=environment, capture_output=True, text=True
    )

    assert run.returncode == 0, run.stderr
    assert all(line in run.stdout for line in LINES), run.stdout
