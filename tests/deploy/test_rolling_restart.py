"""Each web process is restarted in turn under load: no request fails, and all sockets come back.

`start` of `tests/ainews_site/process/test_graceful_stop.py` starts processes as systemd does, and
`Manager` waits as `systemctl start` does.
"""

import asyncio
import os
import random
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from benchmarks.live_clients import open_socket
from tests.ainews_site.process.test_graceful_stop import (
    DAPHNE,
    GUNICORN,
    end,
    listening,
    session_of,
    start,
)
from tests.ainews_site.test_nginx import PLAIN_SITE, Nginx, site_data

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="needs Nginx"
    ),
]
READERS, SOCKETS, ROUNDS = 4, 40, 2
PROCESS = [*GUNICORN, "--threads", "4"]
"""As in `deploy/ainews-pages.service`."""
PAGES, LIVE = "tests.slow_wsgi:application", "tests.slow_asgi:application"
BACK_WITHIN = 10.0
Service = tuple[list[str], str, socket.socket]
"""The command, the application and the listening socket."""


@dataclass
class Load:
    """Readers that request pages and change something, without a pause, and open sockets."""

    port: int
    session: str
    answers: Counter[str] = field(default_factory=Counter)
    lost: dict[int, float] = field(default_factory=dict)
    """When the sockets that are closed now were closed."""
    longest: float = 0.0
    returns: int = 0
    is_over: bool = False

    def read(self) -> None:
        cookies = {"sessionid": self.session}
        base = f"http://127.0.0.1:{self.port}"
        with httpx.Client(base_url=base, cookies=cookies, timeout=60) as client:
            while not self.is_over:
                for method, path in (("GET", "/river/"), ("POST", "/slow/0.05"), ("GET", "/")):
                    try:
                        answer = client.request(method, path)
                        status = str(answer.status_code)
                    except httpx.TransportError as error:
                        status = type(error).__name__
                    # Nginx holds back a session that asks for costly pages without a pause.
                    self.answers["200" if (path, status) == ("/", "429") else status] += 1

    async def keep_sockets(self) -> None:
        await asyncio.gather(*(self._keep_socket(number) for number in range(SOCKETS)))

    async def _keep_socket(self, number: int) -> None:
        """Connect again as a page does, after a random pause."""
        while not self.is_over:
            try:
                client = await open_socket(self.port, self.session)
                await asyncio.wait_for(client.greeted, 60)
            except (OSError, TimeoutError):
                self.lost.setdefault(number, time.monotonic())
                await asyncio.sleep(0.5 + random.random())
                continue
            if number in self.lost:
                self.longest = max(self.longest, time.monotonic() - self.lost.pop(number))
                self.returns += 1
            while client.code is None and not self.is_over:
                await asyncio.sleep(0.05)
            self.lost[number] = time.monotonic()
            if not self.is_over:
                await asyncio.sleep(0.5 + random.random())


class Manager:
    """Starts services, stops them, and waits until they report that they are ready."""

    def __init__(self, data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.data, self._monkeypatch = data, monkeypatch
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, service: Service) -> "subprocess.Popen[bytes]":
        command, application, listener = service
        name = f"ainews-test-{os.getpid()}-{len(self.processes)}"
        self._monkeypatch.setenv("NOTIFY_SOCKET", f"@{name}")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as messages:
            messages.bind(f"\0{name}")
            messages.settimeout(120)
            process = start(command, application, self.data, listener)
            self.processes.append(process)
            while b"READY=1" not in messages.recv(4096):
                pass
        return process

    def stop(self, process: "subprocess.Popen[bytes]") -> None:
        process.terminate()
        assert process.wait(60) == 0

    def restart(
        self, old: "subprocess.Popen[bytes]", service: Service
    ) -> "subprocess.Popen[bytes]":
        self.stop(old)
        return self.start(service)

    def restart_beside(
        self, old: "subprocess.Popen[bytes]", service: Service
    ) -> "subprocess.Popen[bytes]":
        """Restart while another process serves the same port, as `deploy/upgrade.sh` does."""
        beside = self.start(service)
        new = self.restart(old, service)
        self.stop(beside)
        return new

    def end(self) -> None:
        for process in self.processes:
            with suppress(OSError):
                process.terminate()
        for process in self.processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(40)
            end(process)


@contextmanager
def running(load: Load) -> Iterator[None]:
    threads = [threading.Thread(target=load.read) for _ in range(READERS)]
    threads.append(threading.Thread(target=lambda: asyncio.run(load.keep_sockets())))
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        load.is_over = True
        for thread in threads:
            thread.join(100)


def test_no_request_fails_while_each_process_restarts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = site_data(tmp_path / "data")
    manager = Manager(data, monkeypatch)
    with listening() as page_port, listening() as live_port:
        pages_unit, live_unit = (PROCESS, PAGES, page_port), (DAPHNE, LIVE, live_port)
        nginx = Nginx(PLAIN_SITE)
        nginx.pages, nginx.live = page_port.getsockname()[1], live_port.getsockname()[1]
        try:
            pages, live = manager.start(pages_unit), manager.start(live_unit)
            load = Load(nginx.port, session_of(data))
            with nginx, running(load):
                time.sleep(5)
                for _ in range(ROUNDS):
                    pages.send_signal(signal.SIGHUP)  # systemctl reload
                    time.sleep(12)
                    pages = manager.restart_beside(pages, pages_unit)
                    pages = manager.restart(pages, pages_unit)  # systemctl restart
                    live = manager.restart_beside(live, live_unit)
                    time.sleep(8)
            print(f"{load.answers}, {load.returns} sockets came back within {load.longest:.1f} s")
            assert set(load.answers) == {"200"}, load.answers
            assert load.answers["200"] > 200
            assert load.returns >= ROUNDS * SOCKETS
            assert load.longest < BACK_WITHIN
        finally:
            manager.end()
