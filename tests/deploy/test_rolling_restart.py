"""Each web process is restarted in turn under load: no request is lost, and all sockets come back.

A machine that is busy otherwise may refuse requests that waited too long (`busy`). They are counted
and printed apart, as they are answered.

`start` of `tests/ainews_site/process/test_graceful_stop.py` starts processes as systemd does.
"""

import asyncio
import random
import shutil
import signal
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
    url_of,
    wait_for_answer,
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
PAGES, LIVE = "tests.slow_wsgi:application", "tests.slow_asgi:application"
BACK_WITHIN = 10.0


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
                        is_busy = answer.status_code == 503 and "too busy" in answer.text
                        status = "busy" if is_busy else str(answer.status_code)
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


def test_no_request_is_lost_while_each_process_restarts(tmp_path: Path) -> None:
    data = site_data(tmp_path / "data")
    processes: list[subprocess.Popen[bytes]] = []
    starts: list[float] = []
    """Seconds until daphne answered again. They depend on what else the machine does."""

    def launch(command: list[str], application: str, listener: object) -> "subprocess.Popen[bytes]":
        processes.append(start(command, application, data, listener))  # type: ignore[arg-type]
        return processes[-1]

    with listening() as page_port, listening() as live_port:
        nginx = Nginx(PLAIN_SITE)
        nginx.pages, nginx.live = page_port.getsockname()[1], live_port.getsockname()[1]
        pages, live = launch(GUNICORN, PAGES, page_port), launch(DAPHNE, LIVE, live_port)
        try:
            wait_for_answer(url_of(page_port))
            wait_for_answer(url_of(live_port))
            load = Load(nginx.port, session_of(data))
            with nginx, running(load):
                time.sleep(5)
                for _ in range(ROUNDS):
                    pages.send_signal(signal.SIGHUP)  # systemctl reload
                    time.sleep(12)
                    successor = launch(GUNICORN, PAGES, page_port)  # upgrade.sh
                    time.sleep(8)
                    pages.terminate()
                    assert pages.wait(60) == 0
                    pages = successor
                    pages.terminate()  # systemctl restart
                    assert pages.wait(60) == 0
                    pages = launch(GUNICORN, PAGES, page_port)
                    time.sleep(6)
                    began = time.monotonic()
                    live.terminate()
                    assert live.wait(60) == 0
                    live = launch(DAPHNE, LIVE, live_port)
                    wait_for_answer(url_of(live_port))
                    starts.append(time.monotonic() - began)
                    time.sleep(8)
            print(
                f"{load.answers}, {load.returns} sockets came back within {load.longest:.1f} s,"
                f" starts {starts}"
            )
            assert set(load.answers) <= {"200", "busy"}, load.answers
            assert load.answers["200"] > 200
            assert load.returns >= ROUNDS * SOCKETS
            assert load.longest < max(starts) + BACK_WITHIN / 2
        finally:
            for process in processes:
                with suppress(OSError):
                    process.terminate()
            for process in processes:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(40)
                end(process)
