"""The server of deploy/: Nginx, with and without HTTPS, in front of gunicorn and daphne."""

import os
import re
import shutil
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.nginx_pages import FOLDER, SENTENCES, page
from tests.prepared import prepared
from tests.services import Server, free_port
from tests.workers import migrate

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "long-enough-for-me"
MAKE = f"""
from tests.make import make_item, make_source, make_user
from digests.models import Channel
user = make_user(password={PASSWORD!r})
make_item(make_source(reader=user), "Told through Nginx")
Channel.objects.create(user=user, kind='feed')
"""
PLAIN_SITE, TLS_SITE = "nginx.conf", "nginx-tls.conf"
pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="nginx is not installed"
)


class Nginx(Server):
    """Nginx with a site of deploy/, on free ports; `tls` is the port for HTTPS."""

    name = "nginx"
    program = shutil.which("nginx") or "/usr/sbin/nginx"

    def __init__(self, site: str) -> None:
        super().__init__()
        self.site, self.tls = site, free_port()
        self.pages = self.live = 0
        self.static = self.folder
        (self.folder / "own").mkdir()
        self.certificate, self.key = self.folder / "certificate.pem", self.folder / "key.pem"
        if site == TLS_SITE:
            self._make_certificate()

    def _make_certificate(self) -> None:
        subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
        files = ("-keyout", str(self.key), "-out", str(self.certificate))
        request = ("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2")
        subprocess.run(["openssl", *request, *subject, *files], check=True, capture_output=True)
        if user := self._user():
            shutil.chown(self.key, user)

    def command(self) -> list[str]:
        locations = (ROOT / "deploy" / "nginx-locations.conf").read_text()
        assert "/opt/ainews/app/deploy" in locations
        locations = locations.replace("/opt/ainews/app/deploy", str(ROOT / "deploy"))
        locations = locations.replace("/etc/ainews/nginx", str(self.folder / "own"))
        locations = locations.replace("/var/cache/ainews", str(self.static))
        (self.folder / "nginx-locations.conf").write_text(locations)
        site = (ROOT / "deploy" / self.site).read_text()
        for written, wanted in self._replacements():
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
        return [self.program, "-e", "stderr", "-c", str(config)]

    def _replacements(self) -> list[tuple[str, str]]:
        certificates = "/etc/letsencrypt/live/news.example"
        of_tls = [
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.tls} ssl http2;"),
            ("https://news.example", f"https://127.0.0.1:{self.tls}"),
            (f"{certificates}/fullchain.pem", str(self.certificate)),
            (f"{certificates}/privkey.pem", str(self.key)),
        ]
        return [
            ("listen 80;", f"listen 127.0.0.1:{self.port};"),
            ("127.0.0.1:8000", f"127.0.0.1:{self.pages}"),
            ("127.0.0.1:8001", f"127.0.0.1:{self.live}"),
            ("/opt/ainews/app/deploy", str(self.folder)),
            ("/var/lib/nginx", str(self.folder)),
            *(of_tls if self.site == TLS_SITE else []),
        ]


class Web(Server):
    """One of our web servers."""

    name = "web"

    def __init__(
        self, command: list[str], data: Path, settings: dict[str, str] | None = None
    ) -> None:
        super().__init__()
        self.arguments = [one.replace("PORT", str(self.port)) for one in command]
        self.data, self.settings = data, settings or {}

    def command(self) -> list[str]:
        return [sys.executable, "-m", *self.arguments]

    def start(self) -> "Web":
        environment = os.environ | {"DATA": str(self.data), "DATABASE_URL": "", "REDIS_URL": ""}
        environment |= self.settings
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                cwd=ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(lambda: _answers(self.port))
        return self


def _answers(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200
    except httpx.HTTPError:
        return False


def site_data(data: Path) -> Path:
    """Return a folder with a database that has a reader. It is filled once and then copied."""
    shutil.copytree(prepared("site", _make_site), data, dirs_exist_ok=True)
    return data


def _make_site(data: Path) -> None:
    environment = os.environ | {"DATA": str(data), "DATABASE_URL": "", "REDIS_URL": ""}
    migrate(environment)
    command = [sys.executable, "manage.py", "shell", "-v0", "-c", MAKE]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)


@dataclass(frozen=True)
class Site:
    """Run the site. Yields its address, the SSL context for its certificate, and the plain port."""

    url: str
    tls: ssl.SSLContext | bool
    plain: str

    def client(self) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls, timeout=30)

    def connect(self) -> socket.socket:
        host, _, port = self.url.rpartition("/")[2].partition(":")
        wire = socket.create_connection((host, int(port)), timeout=30)
        if isinstance(self.tls, ssl.SSLContext):
            return self.tls.wrap_socket(wire, server_hostname=host)
        return wire


@pytest.fixture(scope="module", params=[PLAIN_SITE, TLS_SITE])
def site(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    data = site_data(tmp_path_factory.mktemp("data"))
    gunicorn = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "--threads", "4"]
    daphne = ["daphne", "-v0", "-b", "127.0.0.1", "-p", "PORT"]
    nginx = Nginx(request.param)
    is_tls = request.param == TLS_SITE
    plain = f"http://127.0.0.1:{nginx.port}"
    url = f"https://127.0.0.1:{nginx.tls}" if is_tls else plain
    settings = {"TRUSTED_PROXIES": "127.0.0.1"} | ({"SITE_URL": url} if is_tls else {})
    with ExitStack() as stack:
        pages = stack.enter_context(Web([*gunicorn, "ainews_site.wsgi"], data, settings))
        live = stack.enter_context(Web([*daphne, "ainews_site.asgi:application"], data, settings))
        nginx.pages, nginx.live = pages.port, live.port
        stack.enter_context(nginx)
        tls = ssl.create_default_context(cafile=nginx.certificate) if is_tls else False
        yield Site(url, tls, plain)


@pytest.fixture
def reader(site: Site) -> Iterator[httpx.Client]:
    with site.client() as client:
        client.get("/signin/")
        form = {"username": "reader", "password": PASSWORD}
        token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
        headers = {"Referer": f"{site.url}/signin/"}
        assert client.post("/signin/", data=form | token, headers=headers).status_code == 302
        yield client


def test_pages_and_files_come_through(reader: httpx.Client) -> None:
    page = reader.get("/river/")
    assert "Told through Nginx" in page.text
    assert "Content-Security-Policy" in page.headers
    style = reader.get("/static/css/base.css")
    assert style.status_code == 200
    assert style.headers["Content-Encoding"] == "gzip"


def test_nginx_compresses_pages_and_passes_compressed_files_on(reader: httpx.Client) -> None:
    page = reader.get("/river/", headers={"Accept-Encoding": "gzip, br"})
    assert page.headers["Content-Encoding"] == "gzip"
    assert "Told through Nginx" in page.text
    style = re.search(r"/static/css/base\.[0-9a-f]{12}\.css", page.text)
    assert style
    file = reader.get(style[0], headers={"Accept-Encoding": "gzip, br"})
    assert file.headers["Content-Encoding"] == "br"
    assert file.headers["Cache-Control"] == "max-age=31536000, public, immutable"
    assert "font" in file.text


def test_ai_news_compresses_nothing_that_nginx_compresses(site: Site, reader: httpx.Client) -> None:
    """The padding of AI News is the name of a file in the header of gzip, which Nginx has not."""
    headers = {"Accept-Encoding": "gzip"}
    with reader.stream("GET", "/river/", headers=headers) as answer:
        start = next(answer.iter_raw())
    assert answer.headers["Content-Encoding"] == "gzip"
    assert start[:2] == b"\x1f\x8b"
    assert not start[3] & 8


def test_the_live_socket_comes_through(site: Site, reader: httpx.Client) -> None:
    with site.connect() as wire:
        wire.sendall(
            f"GET /ws/ HTTP/1.1\r\nHost: {site.url.rpartition('/')[2]}\r\nOrigin: {site.url}\r\n"
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


def test_cookies_are_secure_where_there_is_https(site: Site, reader: httpx.Client) -> None:
    is_tls = site.url.startswith("https")

    assert {cookie.name: cookie.secure for cookie in reader.cookies.jar} == {
        "csrftoken": is_tls,
        "sessionid": is_tls,
        "device": is_tls,
    }
    page = reader.get("/river/")
    assert ("Strict-Transport-Security" in page.headers) == is_tls


def test_headers_that_a_client_forges_are_replaced(site: Site) -> None:
    """The throttle depends on the address, and secure cookies on the scheme."""
    lies = {"X-Forwarded-Proto": "https", "X-Forwarded-Ssl": "on"}
    with httpx.Client(base_url=site.plain, headers=lies, timeout=30) as client:
        answer = client.get("/signin/")
        if site.plain != site.url:
            assert answer.status_code == 301
            assert answer.headers["Location"] == f"{site.url}/signin/"
            return
        assert "Strict-Transport-Security" not in answer.headers
        for n in range(12):
            form = {"username": "nobody", "password": "a-guess"}
            token = {"csrfmiddlewaretoken": client.cookies["csrftoken"]}
            address = {"X-Forwarded-For": f"192.0.2.{n}"}
            answer = client.post("/signin/", data=form | token, headers=address)
    assert answer.status_code == 429


@pytest.mark.parametrize("path", ["/", "/search/?q=told", "/api/v1/search/?q=told", "/ask/?q=a"])
def test_costly_requests_without_a_pause_are_held_back(
    site: Site, reader: httpx.Client, path: str
) -> None:
    with site.client() as client, ThreadPoolExecutor(9) as pool:
        client.cookies = reader.cookies
        started = time.monotonic()
        statuses = [answer.status_code for answer in pool.map(client.get, [path] * 9)]
        held = time.monotonic() - started
        started = time.monotonic()
        pages = list(pool.map(client.get, ["/river/"] * 9))

    assert set(statuses) <= {200, 429}
    assert 200 in statuses
    assert held > (9 - 1 - 5) / 2 - 0.1
    assert {page.status_code for page in pages} == {200}


def test_nginx_rejects_large_bodies(site: Site, reader: httpx.Client) -> None:
    assert reader.post("/signin/", content=b"x" * 100_000).status_code == 413
    assert reader.post("/api/v1/states/", content=b"x" * 300_000).status_code == 413
    assert reader.post("/sources/import/", content=b"x" * 13_000_000).status_code == 413


@pytest.mark.parametrize("name", SENTENCES)
def test_the_pages_of_nginx_are_those_of_ai_news(name: str) -> None:
    """`python -m tests.nginx_pages` writes them."""
    assert (FOLDER / f"{name}.html").read_text() == page(name)
    assert "/static/" not in page(name)


def test_nginx_explains_what_it_refuses(site: Site, reader: httpx.Client) -> None:
    answer = reader.post("/signin/", content=b"x" * 100_000)
    assert answer.status_code == 413
    assert "What you sent is larger than this site accepts." in answer.text
    assert reader.get("/nginx-errors/503.html").status_code == 404


def test_nginx_explains_that_ai_news_does_not_answer() -> None:
    """Nothing listens at the ports of the pages and of the socket."""
    nginx = Nginx(PLAIN_SITE)
    nginx.pages, nginx.live = free_port(), free_port()
    with nginx, httpx.Client(base_url=f"http://127.0.0.1:{nginx.port}") as client:
        answer = client.get("/river/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "10"
    assert answer.headers["Cache-Control"] == "no-store"
    assert "AI News is starting, busy or being updated." in answer.text
