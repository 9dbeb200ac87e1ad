"""The pages as `deploy/` serves them, by one process of gunicorn, and what their requests cost.

The CPU time is that of gunicorn's processes and of PostgreSQL's, from the clocks that the kernel
has of each process. What the benchmark does through its own connection is not counted.
"""

import gzip
import http.client
import os
import re
import shlex
import subprocess
import sys
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.budgets import QUERIES_HEADER
from tests.services import free_port, is_open

ROOT = Path(__file__).resolve().parent.parent
DEPLOY = ROOT / "deploy"
PRODUCT, COUNTING = "ainews_site.wsgi", "benchmarks.counting_wsgi"
"""The applications that gunicorn can serve."""
PATIENCE = 60.0
QUIET, LONGEST_WORK = 0.004, 0.5
"""A request is over when no process has worked for QUIET seconds; it is waited for that long."""
LIKE_A_BROWSER = {"Accept": "text/html,*/*", "Accept-Encoding": "gzip, deflate, br"}


@dataclass(frozen=True, slots=True)
class Page:
    """An address, as its reader asks for it."""

    name: str
    path: str
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class Answer:
    """`ms` is the CPU time of processes that are still there, `ms_ended` of those that ended."""

    ms: float
    ms_ended: float
    queries: int
    sent: int
    body: bytes


def command_of(unit: str, replaced: dict[str, str]) -> list[str]:
    """The command that a unit of deploy/ runs, with these parts of it replaced."""
    text = (DEPLOY / unit).read_text().replace("\\\n", " ")
    match = re.search(r"^ExecStart=(.+)$", text, re.MULTILINE)
    assert match, unit
    command = match[1]
    for written, wanted in replaced.items():
        assert written in command, (unit, written)
        command = command.replace(written, wanted)
    return shlex.split(command)


@contextmanager
def gunicorn(processes: int = 1, application: str = COUNTING) -> Iterator[tuple[int, int]]:
    """Serve the pages of the database of DATABASE_URL and DATA. Yields (port, process id)."""
    port = free_port()
    replaced = {
        ".venv/bin/gunicorn": f"{sys.executable} -m gunicorn --log-level error",
        "127.0.0.1:8000": f"127.0.0.1:{port}",
        PRODUCT: application,
    }
    with _running(command_of("ainews-pages.service", replaced), port, processes) as pid:
        yield port, pid


@contextmanager
def daphne() -> Iterator[tuple[int, int]]:
    """Serve the live sockets. Yields (port, process id)."""
    port = free_port()
    replaced = {
        "/opt/ainews/app/.venv/bin/daphne": f"{sys.executable} -m daphne -v0",
        "--fd 3": f"-b 127.0.0.1 -p {port}",
    }
    with _running(command_of("ainews-live.service", replaced), port, 1) as pid:
        yield port, pid


@contextmanager
def _running(command: list[str], port: int, processes: int) -> Iterator[int]:
    environment = os.environ | {"WEB_PROCESSES": str(processes)}
    server = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True)
    try:
        until = time.monotonic() + PATIENCE
        while not is_open(port):
            assert server.poll() is None and time.monotonic() < until, f"{command} did not start"
            time.sleep(0.1)
        yield server.pid
    finally:
        server.terminate()
        server.wait(PATIENCE)


@dataclass
class Clock:
    """The CPU time of these processes and of all that they started, except `own`."""

    roots: list[int]
    own: set[int] = field(default_factory=set)

    def read(self) -> tuple[dict[int, int], int]:
        """Return ({process id: nanoseconds}, nanoseconds of processes that ended)."""
        live: dict[int, int] = {}
        ended = 0
        waiting = list(self.roots)
        while waiting:
            pid = waiting.pop()
            if pid in self.own:
                continue
            try:
                live[pid] = time.clock_gettime_ns((~pid << 3) | 2)  # as clock_getcpuclockid(3)
                ended += _of_ended_children(pid)
                waiting += _children(pid)
            except OSError:  # it ended just now
                live.pop(pid, None)
        return live, ended

    def read_when_quiet(self) -> tuple[dict[int, int], int]:
        until = time.monotonic() + LONGEST_WORK
        last = self.read()
        while time.monotonic() < until:
            time.sleep(QUIET)
            now = self.read()
            if now == last:
                break
            last = now
        return last


def _of_ended_children(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[13]) + int(fields[14])) * (10**9 // os.sysconf("SC_CLK_TCK"))


def _children(pid: int) -> list[int]:
    threads = Path(f"/proc/{pid}/task").iterdir()
    return [int(child) for thread in threads for child in (thread / "children").read_text().split()]


class Browser:
    """One client that asks for one page after another, with one connection, as Nginx does."""

    def __init__(self, port: int, clock: Clock) -> None:
        self.port, self.clock = port, clock
        self.connection: http.client.HTTPConnection | None = None

    def measure(self, page: Page) -> Answer:
        """Get a page. Its cost includes what is done after the answer was sent."""
        before, ended_before = self.clock.read_when_quiet()
        headers, sent = self._get(page.path, LIKE_A_BROWSER | page.headers)
        after, ended_after = self.clock.read_when_quiet()
        spent = sum(time - before.get(pid, 0) for pid, time in after.items())
        body = decompress(sent, headers.get("Content-Encoding", ""))
        ended = ended_after - ended_before
        return Answer(spent / 1e6, ended / 1e6, int(headers[QUERIES_HEADER]), len(sent), body)

    def get(self, path: str) -> tuple[int, bytes]:
        """Return (bytes sent, body) of a static file."""
        headers, sent = self._get(path, LIKE_A_BROWSER)
        return len(sent), decompress(sent, headers.get("Content-Encoding", ""))

    def _get(self, path: str, headers: dict[str, str]) -> tuple[Any, bytes]:
        for attempt in (1, 2):
            is_reused = self.connection is not None
            if self.connection is None:
                self.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
            try:
                self.connection.request("GET", path, headers=headers)
                answer = self.connection.getresponse()
                body = answer.read()
            except (ConnectionError, http.client.RemoteDisconnected):
                # gunicorn closes a connection that was not used for some seconds.
                self.connection = None
                if attempt == 2 or not is_reused:
                    raise
                continue
            assert answer.status == 200, (path, answer.status)
            if answer.will_close:
                self.connection = None
            return answer.headers, body
        raise AssertionError("unreachable")


def decompress(sent: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.decompress(sent)
    if encoding == "deflate":
        return zlib.decompress(sent)
    if encoding == "br":
        import brotli  # the product sends it only if it has it

        return bytes(brotli.decompress(sent))
    return sent
