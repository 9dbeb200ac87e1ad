"""What clients see when gunicorn and daphne stop: their requests are finished, sockets told."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from ainews_site.daphne_stop import SERVICE_RESTART
from benchmarks.live_clients import SocketClient, open_socket
from tests.ainews_site.test_nginx import ROOT, site_data

TOGETHER = 30.0
GUNICORN = ["gunicorn", "-c", "python:ainews_site.process.gunicorn_hooks", "-w", "2"]
DAPHNE = ["daphne", "-v0", "--fd", "3"]
SESSION = """
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from accounts.models import User
from accounts.sessions import SessionStore
user = User.objects.get()
store = SessionStore()
store.update({SESSION_KEY: str(user.pk), HASH_SESSION_KEY: user.get_session_auth_hash(),
    BACKEND_SESSION_KEY: "django.contrib.auth.backends.ModelBackend"})
store.save()
print(store.session_key)
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_data(tmp_path_factory.mktemp("data"))


@contextmanager
def listening() -> Iterator[socket.socket]:
    """A socket that systemd would hold for a service, also while none is running."""
    with socket.create_server(("127.0.0.1", 0), backlog=512) as listener:
        yield listener


def start(
    command: list[str], application: str, data: Path, listener: socket.socket
) -> subprocess.Popen[bytes]:
    """Start a server as systemd does: with the listening socket as file 3."""
    environment = os.environ | {
        "DATA": str(data),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "LISTEN_FDS": "1",
        "TRUSTED_PROXIES": "127.0.0.1",
    }
    script = 'exec env LISTEN_PID=$$ "$@"'
    descriptor = listener.fileno()
    # The shell moves the socket to 3 in the new process alone.
    shell = ["/bin/bash", "-c", f"exec 3<&{descriptor}; {script}", "serve"]
    with (data / "log").open("ab") as log:
        return subprocess.Popen(
            [*shell, sys.executable, "-m", *command, application],
            cwd=ROOT,
            env=environment,
            pass_fds=[descriptor],
            stdout=log,
            stderr=log,
        )


def url_of(listener: socket.socket) -> str:
    return f"http://127.0.0.1:{listener.getsockname()[1]}"


def wait_for_answer(url: str) -> None:
    assert httpx.get(f"{url}/health", timeout=100).status_code == 200


def get(url: str) -> int:
    return httpx.get(url, timeout=60).status_code


def end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
    process.wait()


@pytest.mark.parametrize(
    ("command", "application"),
    [(GUNICORN, "tests.slow_wsgi:application"), (DAPHNE, "tests.slow_asgi:application")],
    ids=["gunicorn", "daphne"],
)
def test_running_requests_are_finished_and_others_wait_for_the_successor(
    command: list[str], application: str, data: Path
) -> None:
    with listening() as listener, ThreadPoolExecutor(8) as pool:
        url = url_of(listener)
        first = start(command, application, data, listener)
        second = None
        try:
            wait_for_answer(url)
            running = [pool.submit(get, f"{url}/slow/2") for _ in range(4)]
            time.sleep(0.7)
            began = time.monotonic()
            first.send_signal(signal.SIGTERM)
            time.sleep(0.3)
            waiting = [pool.submit(get, f"{url}/health") for _ in range(4)]
            assert first.wait(100) in (0, -signal.SIGTERM)
            assert time.monotonic() - began < TOGETHER
            second = start(command, application, data, listener)
            assert [request.result() for request in running + waiting] == [200] * 8
        finally:
            end(first)
            if second:
                second.terminate()
                second.wait(100)


def session_of(data: Path) -> str:
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", SESSION]
    environment = os.environ | {"DATA": str(data), "DATABASE_URL": "", "REDIS_URL": ""}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return done.stdout.strip()


def test_a_worker_that_has_started_answers_its_first_request_without_loading_views(
    data: Path,
) -> None:
    """It reports to systemd that it is ready, and then its predecessor stops."""
    script = (
        "import sys, ainews_site.wsgi; before = len(sys.modules);"
        "from django.urls import resolve; resolve('/river/');"
        "print(len(sys.modules) - before, 'feeds.web.views' in sys.modules)"
    )
    environment = os.environ | {"DATA": str(data), "DATABASE_URL": "", "REDIS_URL": ""}
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_sockets_are_closed_with_the_code_of_a_restart(data: Path) -> None:
    session = session_of(data)
    with listening() as listener:
        url, port = url_of(listener), listener.getsockname()[1]
        process = start(DAPHNE, "tests.slow_asgi:application", data, listener)
        try:
            wait_for_answer(url)
            codes = asyncio.run(_codes(port, session, process))
            assert codes == [SERVICE_RESTART] * 20
            assert process.wait(100) == 0
        finally:
            end(process)


async def _codes(port: int, session: str, process: subprocess.Popen[bytes]) -> list[int | None]:
    clients: list[SocketClient] = [await open_socket(port, session) for _ in range(20)]
    await asyncio.gather(*(client.greeted for client in clients))
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    while any(client.code is None for client in clients) and time.monotonic() - began < 60:
        await asyncio.sleep(0.05)
    assert time.monotonic() - began < TOGETHER / 2
    return [client.code for client in clients]


@pytest.mark.slow
def test_new_workers_accept_before_old_ones_stop_and_a_broken_release_changes_nothing(
    data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken"
    module = tmp_path / "release_wsgi.py"
    module.write_text(
        "from pathlib import Path\n"
        f"if Path({str(broken)!r}).exists(): raise RuntimeError('a broken release')\n"
        "import os\n"
        "def application(environ, start):\n"
        "    body = str(os.getpid()).encode()\n"
        "    start('200 OK', [('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
    )
    with listening() as listener:
        url = url_of(listener)
        command = [*GUNICORN, "--pythonpath", str(tmp_path)]
        process = start(command, "release_wsgi:application", data, listener)
        try:
            old = workers(url)
            assert len(old) == 2
            broken.touch()
            process.send_signal(signal.SIGHUP)
            time.sleep(3)
            assert workers(url) == old
            assert process.poll() is None
            assert "The old workers go on." in (data / "log").read_text()
            broken.unlink()
            process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 60
            seen = old
            while time.monotonic() < until and seen & old:
                seen = workers(url)
            assert len(seen) == 2
            assert not seen & old
            process.terminate()
            assert process.wait(100) == 0
        finally:
            end(process)


def workers(url: str) -> set[str]:
    """The processes that answer, each request by a new connection."""
    return {httpx.get(url, timeout=60).text for _ in range(40)}
