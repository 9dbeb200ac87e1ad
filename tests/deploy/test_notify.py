"""What the services report to systemd, received by a socket such as systemd's."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ainews_site.infra.systemd import Service
from benchmarks.served import command_of
from tests.ainews_site.test_nginx import site_data
from tests.docs.blocks import ROOT
from tests.services import free_port


class Manager:
    """The socket of systemd, and what was received there."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "notify"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.socket.settimeout(60)
        self.received: list[str] = []

    def wait_for(self, line: str) -> None:
        while True:
            self.received += (lines := self.socket.recv(4096).decode().splitlines())
            if line in lines:
                return


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    manager = Manager(tmp_path)
    yield manager
    manager.socket.close()


def test_a_process_without_systemd_reports_nothing() -> None:
    service = Service({})

    service.ready()
    service.ping()

    assert not service.is_managed


def test_the_variables_are_hidden_from_children(manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "3000000", "A": "b"}

    service = Service(environment)
    service.ready("works")

    manager.wait_for("STATUS=works")
    assert manager.received == ["READY=1", "STATUS=works"]
    assert environment == {"A": "b"}
    assert service.period == 3


def test_the_watchdog_of_another_process_is_not_notified(manager: Manager) -> None:
    environment = {"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "3", "WATCHDOG_PID": "1"}

    assert Service(environment).period == 0


def test_pings_are_no_more_frequent_than_needed(manager: Manager) -> None:
    service = Service({"NOTIFY_SOCKET": str(manager.path), "WATCHDOG_USEC": "60000000"})

    for _ in range(3):
        service.ping()
    service.stopping()

    manager.wait_for("STOPPING=1")
    assert manager.received == ["WATCHDOG=1", "STOPPING=1"]


def test_a_manager_that_is_gone_harms_nothing(tmp_path: Path) -> None:
    Service({"NOTIFY_SOCKET": str(tmp_path / "gone")}).ready()


def _listen() -> tuple[socket.socket, int]:
    server = socket.create_server(("127.0.0.1", free_port()), backlog=64)
    return server, int(server.getsockname()[1])


@contextmanager
def unit(manager: Manager, data: Path, unit: str, server: socket.socket) -> Iterator[int]:
    """Run the command of a unit with an open port, as systemd does. Yields its process id."""
    program = "/opt/ainews/app/.venv/bin/" if unit == "ainews-live.service" else ".venv/bin/"
    name = "daphne" if unit == "ainews-live.service" else "gunicorn"
    command = command_of(unit, {f"{program}{name}": f"{sys.executable} -m {name}"})
    starter = (
        "import os, sys; os.dup2(int(sys.argv[1]), 3); os.set_inheritable(3, True);"
        "os.environ |= {'LISTEN_PID': str(os.getpid()), 'LISTEN_FDS': '1'};"
        "os.execvp(sys.argv[2], sys.argv[2:])"
    )
    environment = os.environ | {
        "DATA": str(data),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "WEB_PROCESSES": "1",
        "NOTIFY_SOCKET": str(manager.path),
        "WATCHDOG_USEC": "3000000",
    }
    process = subprocess.Popen(
        [sys.executable, "-c", starter, str(server.fileno()), *command],
        cwd=ROOT,
        env=environment,
        pass_fds=[server.fileno()],
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        yield process.pid
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("name", ["ainews-pages.service", "ainews-live.service"])
def test_a_web_server_serves_the_port_of_systemd_and_reports(
    manager: Manager, tmp_path: Path, name: str
) -> None:
    server, port = _listen()
    data = site_data(tmp_path / "data")
    with server, unit(manager, data, name, server) as pid:
        # A request that came before the start is not refused.
        answer = httpx.get(f"http://127.0.0.1:{port}/health", timeout=60)
        assert answer.status_code == 200
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        if name == "ainews-pages.service":
            # The master is stopped, and so is its watchdog.
            os.kill(pid, signal.SIGSTOP)
            manager.socket.settimeout(0.1)
            with pytest.raises(TimeoutError):
                while True:
                    manager.wait_for("nothing")
            manager.socket.settimeout(2)
            with pytest.raises(TimeoutError):
                manager.wait_for("WATCHDOG=1")
            os.kill(pid, signal.SIGCONT)
            manager.socket.settimeout(60)
            manager.wait_for("WATCHDOG=1")


def test_the_worker_reports(manager: Manager, tmp_path: Path) -> None:
    environment = os.environ | {
        "DATA": str(site_data(tmp_path / "data")),
        "DATABASE_URL": "",
        "NOTIFY_SOCKET": str(manager.path),
        "WATCHDOG_USEC": "3000000",
    }
    command = [sys.executable, "manage.py", "worker", "--queue", "slow"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        manager.wait_for("READY=1")
        manager.wait_for("WATCHDOG=1")
        manager.wait_for("WATCHDOG=1")
        process.send_signal(signal.SIGTERM)
        manager.wait_for("STOPPING=1")
        assert process.wait(60) == 0
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
