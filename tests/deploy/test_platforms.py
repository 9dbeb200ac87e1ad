"""`Procfile` and `railway.json`: their commands run as they stand."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest

from tests.prepared import migrated_sqlite
from tests.services import free_port
from tests.workers import ROOT


def procfile() -> dict[str, str]:
    lines = (ROOT / "Procfile").read_text().splitlines()
    return dict(line.split(": ", 1) for line in lines)


def railway() -> dict[str, str]:
    deploy = json.loads((ROOT / "railway.json").read_text())["deploy"]
    assert deploy["healthcheckPath"] == "/health"
    return {"release": deploy["preDeployCommand"][0], "web": deploy["startCommand"]}


def platform(folder: Path, **variables: str) -> dict[str, str]:
    """Return an environment such as platforms give to programs."""
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    none = dict.fromkeys(("DATABASE_URL", "REDIS_URL", "QUEUE_URL", "HOST"), "")
    return os.environ | none | {"PATH": programs, "DATA": str(folder)} | variables


def test_the_web_process_listens_on_the_port_that_it_is_given(tmp_path: Path) -> None:
    assert railway()["web"] == f"/bin/sh -c 'exec {procfile()['web']}'"
    assert railway()["release"] == procfile()["release"]
    shutil.copy(migrated_sqlite(), tmp_path)
    port = free_port()
    command = ["/bin/sh", "-c", railway()["web"]]
    env = platform(tmp_path, PORT=str(port))
    process = subprocess.Popen(command, env=env, cwd=ROOT, start_new_session=True)
    try:
        assert answer(f"http://127.0.0.1:{port}/health") == 200
        assert answer(f"http://127.0.0.1:{port}/signin/") == 200
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def answer(url: str) -> int:
    until = time.monotonic() + 100
    while time.monotonic() < until:
        try:
            with urlopen(url, timeout=10) as response:
                return int(response.status)
        except HTTPError as error:
            return error.code
        except OSError:
            time.sleep(0.2)
    return 0


@pytest.mark.slow
def test_the_release_prepares_the_database_and_the_worker_starts(tmp_path: Path) -> None:
    env = platform(tmp_path)
    release = ["/bin/sh", "-c", procfile()["release"]]
    subprocess.run(release, env=env, cwd=ROOT, check=True, capture_output=True)
    worker = subprocess.Popen(
        ["/bin/sh", "-c", f"exec {procfile()['worker']}"],
        env=env,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        assert worker.stdout is not None
        assert any("Worker running." in line for line in worker.stdout)
    finally:
        worker.terminate()
        assert worker.wait(60) == 0


def test_platforms_find_the_requirements_of_servers() -> None:
    lines = (ROOT / "requirements.txt").read_text().splitlines()
    assert lines[-1] == "-r requirements/server.txt"
