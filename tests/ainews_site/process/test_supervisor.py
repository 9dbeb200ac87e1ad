"""The web server and the worker as child processes."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from ainews_site.process.fast_start import port_problem
from ainews_site.process.supervisor import Child
from tests.workers import migrate

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_a_used_port_is_one_clear_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert port_problem("127.0.0.1", port).startswith(f"Port {port} is used")


def test_a_child_that_ignores_the_request_is_killed() -> None:
    code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"
    child = Child("deaf", [sys.executable, "-c", code])
    time.sleep(0.5)

    child.stop(grace=0.2)

    assert not child.is_running


def test_a_stop_within_a_query_waits_for_its_end() -> None:
    code = """
import os, signal
from ainews_site.process.stop_request import Stopped, deferred_stop, expect_stop
expect_stop()
try:
    with deferred_stop():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        except BaseException:
            print("interrupted")
        print("query ended")
    print("not stopped")
except Stopped:
    print("stopped")
"""
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)

    assert run.stdout.split("\n") == ["query ended", "stopped", ""], run.stderr


def test_serve_answers_and_stops_within_seconds(tmp_path: Path) -> None:
    port = free_port()
    env = os.environ | {"DATA": str(tmp_path), "PORT": str(port), "DATABASE_URL": ""}
    migrate(env)
    log = tmp_path / "errors.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "serve"],
            cwd=ROOT,
            env=env,
            stdout=subprocess.PIPE,
            stderr=stderr,
        )
    assert process.stdout is not None

    said = process.stdout.readline().decode()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        status = answer.status
    process.send_signal(signal.SIGTERM)

    assert "is running at" in said
    assert status == 200
    assert process.wait(100) == 0, log.read_text()
    process.stdout.close()


@pytest.mark.slow
def test_a_second_server_with_the_same_data_is_reported_and_works(tmp_path: Path) -> None:
    env = os.environ | {"DATA": str(tmp_path), "DATABASE_URL": ""}
    migrate(env)
    processes = []
    try:
        printed = []
        for _ in range(2):
            process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"],
                cwd=ROOT,
                env=env | {"PORT": str(free_port()), "PYTHONUNBUFFERED": "1"},
                stdout=subprocess.PIPE,
                text=True,
            )
            processes.append(process)
            assert process.stdout is not None
            lines = iter(process.stdout.readline, "")
            printed.append([next(lines)])
            while "is running at" not in printed[-1][-1]:
                printed[-1].append(next(lines))
    finally:
        for process in processes:
            process.terminate()
        ends = [process.wait(100) for process in processes]
    assert ends == [0, 0]
    assert len(printed[0]) == 1
    assert f"Warning: AI News already runs with DATA={tmp_path}." in printed[1][0]
