"""The benchmark of load counts what clients get, and runs through on a library that is small."""

import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.load import PHASES
from benchmarks.load_clients import read_all
from benchmarks.served import PRODUCT, command_of
from tests.services import missing

ROOT = Path(__file__).resolve().parents[2]
ANSWERS = {
    "/": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage",
    "/chunked/": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npage\r\n0\r\n\r\n",
    "/busy/": b"HTTP/1.1 503 Busy\r\nConnection: close\r\nContent-Length: 0\r\n\r\n",
    "/broken/": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npage",
}


@asynccontextmanager
async def server() -> AsyncIterator[int]:
    import asyncio

    async def answer(reader: Any, writer: Any) -> None:
        while line := await reader.readline():
            path = line.decode().split()[1]
            while await reader.readline() != b"\r\n":
                pass
            writer.write(ANSWERS[path])
            if path in ("/busy/", "/broken/"):
                break
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as running:
        yield running.sockets[0].getsockname()[1]


async def test_answers_are_counted_by_their_status() -> None:
    paths = [["/", "/chunked/", "/busy/"], ["/broken/"]]
    sessions = [{"cookie": "sessionid=x", "paths": several} for several in paths]

    async with server() as port:
        results = await read_all(sessions, port, 0.5, 0.0)

    assert results.statuses[200] == len(results.times) >= 2
    assert results.statuses[503] == len(results.refused) >= 1
    assert results.errors["IncompleteReadError"] >= 1


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
        options = ["--items", "3000", "--seconds", "5", "--folder", folder]
        command = [sys.executable, "benchmarks/load.py", *options]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    for phase in PHASES:
        assert phase.name in done.stdout
    assert "CPU ms a page" in done.stdout
