"""Optional packages are imported only if a setting needs them."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = """
import sys, logging
from ainews_site import wsgi
from django.test import Client
Client().get("/signin/")
optional = {"structlog", "sentry_sdk", "opentelemetry"}
print(*{name.partition(".")[0] for name in sys.modules} & optional)
"""


def imported(tmp_path: Path, **settings: str) -> set[str]:
    environment = os.environ | {"DATA": str(tmp_path), "LOG_FORMAT": "text"} | settings
    command = [sys.executable, "-c", PROGRAM]
    run = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return set(run.stdout.split())


def test_a_reader_at_a_terminal_loads_none_of_them(tmp_path: Path) -> None:
    assert imported(tmp_path) == set()
