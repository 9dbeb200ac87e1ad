"""The benchmark of load counts what readers get, loads this machine only, and runs through on a
library that is small."""

import json
import re
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import PHASES, Goal, Phase, Result, percentile, reached, run
from benchmarks.served import PRODUCT, command_of
from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
SESSION = {"session": "x", "items": [1], "stories": [2], "words": ["word"]}
STATUSES = {"/river/": 503, "/search/": 429, "/story/2/": 500}


class Site(BaseHTTPRequestHandler):
    """Refuses some pages, and has no sockets."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        status = STATUSES.get(self.path.partition("?")[0], 200)
        if self.path == "/ws/":
            status = 404
        elif self.headers["If-None-Match"] == '"1"':
            status = 304
        assert self.headers["Cookie"].startswith("sessionid=x; ")
        self.send_response(status)
        self.send_header("ETag", '"1"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    request_queue_size = 128


@contextmanager
def site() -> Iterator[int]:
    with Server(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def test_answers_are_counted_by_act_and_status() -> None:
    with site() as port:
        result = run(Phase("", 40, 0.0), port, [SESSION], 2.0)

    assert set(result.failures) == {"503", "429", "500", "WebSocketBadStatusException"}
    assert result.errors["river: 503"] >= 1
    for act in ("stories", "item", "mark", "sync"):
        assert result.times[act].total() >= 1
    assert "river" not in result.times
    assert result.times["socket"].total() == 0
    assert result.cpu > 0


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"--host": "http://192.0.2.1:80"}, "is not on this machine"),
        ({"--host": "http://127.0.0.1.example:80"}, "is not on this machine"),
        ({"--users": "2001"}, "At most 2000 users."),
        ({"--run-time": "601s"}, "at most 600s"),
    ],
)
def test_other_machines_and_runs_without_bounds_are_refused(
    tmp_path: Path, options: dict[str, str], problem: str
) -> None:
    sessions, results = tmp_path / "sessions.json", tmp_path / "results.json"
    sessions.write_text(json.dumps([SESSION]))
    given = {"--host": "http://127.0.0.1:9", "--users": "1", "--run-time": "1s"} | options
    command = [sys.executable, "-m", "locust", "-f", "benchmarks/load_readers.py", "--headless"]
    command += ["--sessions", str(sessions), "--results", str(results)]

    done = subprocess.run(
        command + [part for pair in given.items() for part in pair],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode != 0
    assert problem in done.stderr
    assert not results.exists()


def test_percentiles_are_of_all_answers() -> None:
    times = Counter({10: 90, 500: 8, 3_000: 2})

    assert [percentile(times, share) for share in (0.5, 0.95, 0.99)] == [10, 500, 3_000]
    assert percentile(Counter(), 0.5) == 0


@pytest.mark.parametrize(
    ("milliseconds", "errors", "is_reached"),
    [(400, {}, True), (600, {}, False), (400, {"river: 503": 1}, False)],
)
def test_a_goal_is_missed_by_slow_pages_and_by_errors(
    capsys: pytest.CaptureFixture[str],
    milliseconds: int,
    errors: dict[str, int],
    is_reached: bool,
) -> None:
    result = Result({"river": Counter({milliseconds: 100})}, Counter(errors), 0, 0.0)
    phase = Phase("", 1, 0.0, goal=Goal(500, pages_a_second=80))

    assert reached(phase, result.pages, 1.0, result) == is_reached
    assert ("reached" if is_reached else "MISSED") in capsys.readouterr().out
    assert not reached(phase, result.pages, 2.0, result), "50 pages a second"


def test_the_command_of_deploy_is_what_runs() -> None:
    command = command_of("ainews-pages.service", {PRODUCT: "another.wsgi"})

    assert command[:2] == ["/bin/sh", "-c"]
    assert command[-1].endswith("another.wsgi")
    assert "--threads" in command[-1]


def test_a_command_that_changed_is_noticed() -> None:
    with pytest.raises(AssertionError, match="uvicorn"):
        command_of("ainews-pages.service", {"uvicorn": "another"})


@pytest.mark.slow
@pytest.mark.timeout(1_200)  # filling takes minutes on a busy machine
def test_load_is_measured() -> None:
    if missing():
        pytest.skip("needs PostgreSQL and Redis")
    with tempfile.TemporaryDirectory(prefix="ainews-load-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        options = ["--items", "3000", "--seconds", "10", "--readers", "0.02", "--folder", folder]
        command = [sys.executable, "benchmarks/load.py", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode in (0, 1), done.stderr
    assert done.stderr == ""
    for phase in PHASES:
        assert phase.name in done.stdout
    assert "CPU s: gunicorn" in done.stdout
    assert re.search(r"ingested: [1-9]\d* items of [1-9]\d* sources", done.stdout)
    assert re.search(r"sockets: [1-9]\d* opened, [1-9]", done.stdout)
