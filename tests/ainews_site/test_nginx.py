"""The LAN server as deploy/ describes it: Nginx before gunicorn and daphne."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.services import Server

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "long-enough-for-me"
MAKE = f"""
from tests.make import make_item, make_source, make_user
make_item(make_source(reader=make_user(password={PASSWORD!r})), "Told through Nginx")
"""
pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="nginx is not installed"
)


class Nginx(Server):
    """With the site of deploy/nginx.conf, on free ports."""

    name = "nginx"

    def __init__(self, pages: int, live: int) -> None:
        super().__init__()
        self.pages, self.live = pages, live

    def command(self) -> list[str]:
        site = (ROOT / "deploy" / "nginx.conf").read_text()
        for written, wanted in (
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("127.0.0.1:8000", f"127.0.0.1:{self.pages}"),
            ("127.0.0.1:8001", f"127.0.0.1:{self.live}"),
        ):
            assert written in site
            site = site.replace(written, wanted)
        places = "".join(
            f"{name}_temp_path {self.folder}/{name};\n"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        config = self.folder / "nginx.conf"
        config.write_text(
            f"daemon off; pid {self.folder}/pid; error_log stderr;\nevents {{}}\n"
            f"http {{ access_log off; {places}\n{site} }}\n"
        )
        return [shutil.which("nginx") or "/usr/sbin/nginx", "-e", "stderr", "-c", str(config)]


class Web(Server):
    """A web server of ours."""

    name = "web"

    def __init__(self, command: list[str], data: Path) -> None:
        super().__init__()
        self.arguments = [one.replace("PORT", str(self.port)) for one in command]
        self.data = data

    def command(self) -> list[str]:
        return [sys.executable, "-m", *self.arguments]

    def start(self) -> "Web":
        environment = os.environ | {"DATA": str(self.data), "DATABASE_URL": "", "REDIS_URL": ""}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(), cwd=ROOT, env=environment, stdout=log, stderr=log
            )
        self._wait(lambda: _answers(self.port))
        return self


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.HTTPError:
        return False


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    data = tmp_path_factory.mktemp("data")
    environment = os.environ | {"DATA": str(data), "DATABASE_URL": "", "REDIS_URL": ""}
    for arguments in (("migrate", "-v0"), ("shell", "-v0", "-c", MAKE)):
        command = [sys.executable, "manage.py", *arguments]
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
    gunicorn = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "--threads", "4"]
    daphne = ["daphne", "-v0", "-b", "127.0.0.1", "-p", "PORT"]
    with ExitStack() as stack:
        pages = stack.enter_context(Web([*gunicorn, "ainews_site.wsgi"], data))
        live = stack.enter_context(Web([*daphne, "ainews_site.asgi:application"], data))
        nginx = stack.enter_context(Nginx(pages.port, live.port))
        yield f"127.0.0.1:{nginx.port}"


@pytest.fixture
def reader(address: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=f"http://{address}", timeout=30) as client:
        client.get("/signin/")
        form = {"username": "reader", "password": PASSWORD}
        token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        assert client.post("/signin/", data=form | token).status_code == 302
        yield client


def test_pages_and_files_come_through(reader: httpx.Client) -> None:
    page = reader.get("/river/")
    assert "Told through Nginx" in page.text
    assert "Content-Security-Policy" in page.headers
    style = reader.get("/static/css/base.css")
    assert style.status_code == 200
    assert style.headers["Content-Encoding"] == "gzip"


def test_the_live_socket_comes_through(address: str, reader: httpx.Client) -> None:
    host, _, port = address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as wire:
        wire.sendall(
            f"GET /ws/ HTTP/1.1\r\nHost: {address}\r\nOrigin: http://{address}\r\n"
            f"Cookie: sessionid={reader.cookies['sessionid']}\r\n"
            "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n".encode()
        )
        said = b""
        while b'"hello"' not in said:
            more = wire.recv(4096)
            assert more, said
            said += more
    assert said.startswith(b"HTTP/1.1 101")
