"""What a command loads before it does anything."""

import subprocess
import sys
from pathlib import Path

import pytest

from ainews_site.process.fast_start import spawn
from tests.workers import ROOT, environment, migrate

HEAVY = ("httpx", "lxml", "nh3", "numpy", "openai", "rest_framework.views", "trafilatura")
"""Modules that only polling, pages or models need. Together they took a second of CPU time."""
COMMAND = """
import sys
from django.core.management import execute_from_command_line
execute_from_command_line(["manage.py", "poll"])
print([name for name in sys.argv[1:] if name in sys.modules])
"""
CLUSTER = """
import gc, sys
from unittest import mock
from django.core.management import execute_from_command_line
from django_q.management.commands import qcluster
with mock.patch.object(qcluster, "Cluster") as cluster:
    cluster().start.side_effect = lambda: print("frozen", gc.get_freeze_count())
    execute_from_command_line(["manage.py", "qcluster"])
print([name for name in sys.argv[1:] if name in sys.modules])
"""
SUPERVISOR = """
import sys, django
django.setup()
from ainews_site.management.commands import serve, worker
from ainews_site.queue.schedules import ensure_schedules
from ainews_site.start_checks import check_command
check_command()
ensure_schedules()
print([name for name in sys.argv[1:] if name in sys.modules])
"""


def run(code: str, folder: Path) -> list[str]:
    """Return the lines that this code prints. Their last lists the heavy modules it has loaded."""
    env = environment(folder, "")
    migrate(env)
    command = [sys.executable, "-c", code, *HEAVY]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_poll_with_nothing_due_loads_neither_pages_nor_the_pipeline(tmp_path: Path) -> None:
    *lines, loaded = run(COMMAND, tmp_path)
    assert "No source is due." in lines[0]
    assert loaded == "[]"


def test_a_cluster_loads_neither_pages_nor_tasks_and_freezes_what_its_forks_share(
    tmp_path: Path,
) -> None:
    """Each of its five processes would have a copy of what is not frozen."""
    frozen, loaded = run(CLUSTER, tmp_path)
    assert int(frozen.removeprefix("frozen ")) > 10_000
    assert loaded == "[]"


def test_the_supervisor_loads_neither_pages_nor_tasks(tmp_path: Path) -> None:
    assert run(SUPERVISOR, tmp_path)[-1] == "[]"


def test_children_have_two_heaps_unless_the_operator_chose_another_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    show = [
        sys.executable,
        "-c",
        "import os; raise SystemExit(int(os.environ['MALLOC_ARENA_MAX']))",
    ]
    monkeypatch.delenv("MALLOC_ARENA_MAX", raising=False)
    assert spawn(show).wait() == 2
    monkeypatch.setenv("MALLOC_ARENA_MAX", "4")
    assert spawn(show).wait() == 4
