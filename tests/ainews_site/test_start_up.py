"""What a command loads before it does anything."""

import subprocess
import sys
from pathlib import Path

from tests.workers import ROOT, environment, migrate

HEAVY = ("httpx", "lxml", "nh3", "numpy", "openai", "rest_framework.views", "trafilatura")
"""Modules that only polling, pages or models need. Together they took a second of CPU time."""
COMMAND = """
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "poll"])
print([name for name in sys.argv[1:] if name in sys.modules])
"""


def test_a_poll_with_nothing_due_loads_neither_pages_nor_the_pipeline(tmp_path: Path) -> None:
    env = environment(tmp_path, "")
    migrate(env)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND, *HEAVY],
        env=env,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "No source is due." in done.stdout
    assert done.stdout.splitlines()[-1] == "[]"
