"""What Nginx does at the edge: TLS and HTTP/2, static files, the public cache, client addresses."""

import gzip
import re
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import brotli  # type: ignore[import-untyped]
import httpx
import pytest

from tests.ainews_site.test_nginx import PASSWORD, ROOT, TLS_SITE, Nginx, Web, site_data

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") or Path("/usr/sbin/nginx").exists()), reason="nginx is not installed"
)
BALANCER = "127.0.0.1"


class EdgeNginx(Nginx):
    """Nginx behind a load balancer, with a certificate of a CA of our own."""

    def _make_certificate(self) -> None:
        self.ca, ca_key = self.folder / "ca.pem", self.folder / "ca.key"
        request, extensions = self.folder / "request", self.folder / "extensions"
        extensions.write_text("subjectAltName=IP:127.0.0.1\n")
        new = ("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        sign: tuple[object, ...] = ("x509", "-req", "-in", request, "-CAcreateserial", "-days", "2")
        sign += ("-extfile", extensions)
        for command in (
            (
                *new,
                "-x509",
                "-days",
                "2",
                "-subj",
                "/CN=Our CA",
                "-keyout",
                ca_key,
                "-out",
                self.ca,
            ),
            (*new, "-subj", "/CN=127.0.0.1", "-keyout", self.key, "-out", request),
            (*sign, "-CA", self.ca, "-CAkey", ca_key, "-out", self.certificate),
        ):
            subprocess.run(["openssl", *map(str, command)], check=True, capture_output=True)
        if user := self._user():
            shutil.chown(self.key, user)

    def command(self) -> list[str]:
        text = (ROOT / "deploy" / "nginx-real-ip.conf").read_text()
        assert "192.0.2.0/24" in text
        (self.folder / "own" / "real-ip.conf").write_text(text.replace("192.0.2.0/24", BALANCER))
        return super().command()


@dataclass(frozen=True)
class Edge:
    nginx: EdgeNginx
    pages: Web
    url: str
    tls: ssl.SSLContext

    def client(self, **headers: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, verify=self.tls, timeout=60, headers=headers)


@pytest.fixture(scope="module")
def edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edge]:
    data = site_data(tmp_path_factory.mktemp("data"))
    nginx = EdgeNginx(TLS_SITE)
    url = f"https://127.0.0.1:{nginx.tls}"
    settings = {
        "TRUSTED_PROXIES": "127.0.0.1",
        "SITE_URL": url,
        "STATIC_ROOT": str(nginx.static / "static"),
    }
    command = ["gunicorn", "-b", "127.0.0.1:PORT", "-w", "1", "--threads", "4"]
    command += ["-c", "python:ainews_site.process.gunicorn_hooks", "ainews_site.wsgi"]
    with ExitStack() as stack:
        pages = stack.enter_context(Web(command, data, settings))
        nginx.pages = nginx.live = pages.port
        stack.enter_context(nginx)
        yield Edge(nginx, pages, url, ssl.create_default_context(cafile=nginx.ca))


def sign_in(edge: Edge, client: httpx.Client) -> None:
    client.get("/signin/")
    form = {"username": "reader", "password": PASSWORD}
    form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]
    answer = client.post("/signin/", data=form, headers={"Referer": f"{edge.url}/signin/"})
    assert answer.status_code == 302


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_pages_come_over_http_2(edge: Edge) -> None:
    command = ["curl", "--http2", "--silent", "--show-error", "--cacert", str(edge.nginx.ca)]
    command += ["--write-out", "\n%{http_version} %{http_code}", f"{edge.url}/signin/"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout.endswith("\n2 200"), done.stderr


def test_the_certificate_is_that_of_our_ca_alone(edge: Edge) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(edge.url)


def shake_hands(
    edge: Edge, version: ssl.TLSVersion, session: ssl.SSLSession | None = None
) -> tuple[bool | None, ssl.SSLSession | None]:
    context = ssl.create_default_context(cafile=edge.nginx.ca)
    context.minimum_version = context.maximum_version = version
    if session is not None:
        context = CONTEXTS[version]
    CONTEXTS[version] = context
    with (
        socket.create_connection(("127.0.0.1", edge.nginx.tls), timeout=30) as wire,
        context.wrap_socket(wire, server_hostname="127.0.0.1", session=session) as client,
    ):
        client.sendall(b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        while client.recv(4096):
            pass
        return client.session_reused, client.session


CONTEXTS: dict[ssl.TLSVersion, ssl.SSLContext] = {}


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_client_that_returns_resumes_its_session(edge: Edge, version: ssl.TLSVersion) -> None:
    is_reused, session = shake_hands(edge, version)
    assert not is_reused
    assert shake_hands(edge, version, session)[0]


def test_files_come_from_nginx_itself_compressed_also_while_ai_news_is_away(edge: Edge) -> None:
    with edge.client() as client:
        page = client.get("/signin/").text
        paths = sorted(set(re.findall(r"/static/[\w./-]+\.[0-9a-f]{12}\.(?:css|js|svg)", page)))
        assert {path.rpartition(".")[2] for path in paths} >= {"css", "svg"}
        by_ai_news = [client.get(path) for path in paths]  # written at the first request
        edge.pages.stop()
        try:
            by_nginx = [client.get(path) for path in paths]
            for encoding, unpack in (("br", brotli.decompress), ("gzip", gzip.decompress)):
                headers = {"Accept-Encoding": encoding}
                with client.stream("GET", paths[0], headers=headers) as answer:
                    raw = b"".join(answer.iter_raw())
                assert answer.headers["Content-Encoding"] == encoding
                assert unpack(raw) == by_ai_news[0].content
            plain = client.get(paths[0], headers={"Accept-Encoding": "identity"})
            assert "Content-Encoding" not in plain.headers
            assert plain.content == by_ai_news[0].content
        finally:
            edge.pages.start()
    names = ("Cache-Control", "Vary", "X-Content-Type-Options")
    for ours, theirs in zip(by_nginx, by_ai_news, strict=True):
        assert ours.status_code == theirs.status_code == 200
        assert ours.content == theirs.content
        assert {n: ours.headers.get(n) for n in names} == {n: theirs.headers.get(n) for n in names}
        kind, expected = (answer.headers["Content-Type"] for answer in (ours, theirs))
        assert kind.partition(";")[0] == expected.partition(";")[0]


def test_what_is_the_same_for_all_is_cached_and_sent_while_ai_news_is_away(edge: Edge) -> None:
    with edge.client() as client:
        client.get("/manifest.webmanifest")
        again = client.get("/manifest.webmanifest")
        assert again.headers["X-Cache-Status"] == "HIT"
        client.get("/offline/")
        edge.pages.stop()
        try:
            assert client.get("/manifest.webmanifest").json()["name"] == "AI News"
            assert client.get("/offline/").status_code == 200
            assert client.get("/signin/").status_code == 503
        finally:
            edge.pages.start()


def test_nothing_of_a_reader_is_cached(edge: Edge) -> None:
    with edge.client() as reader, edge.client() as stranger:
        sign_in(edge, reader)
        for path in ("/", "/river/", "/preferences/", "/api/v1/items/"):
            answer = reader.get(path)
            assert answer.status_code == 200
            assert "X-Cache-Status" not in answer.headers
            assert stranger.get(path).status_code in (302, 401, 403)
        # What has a session or a token is neither stored nor answered from the cache.
        assert reader.get("/manifest.webmanifest").headers["X-Cache-Status"] == "BYPASS"
        token = {"Authorization": "Bearer nothing"}
        answer = stranger.get("/manifest.webmanifest", headers=token)
        assert answer.headers["X-Cache-Status"] == "BYPASS"
        # A page that sets a cookie is made for each.
        tokens = set()
        for _ in range(3):
            with edge.client() as another:
                tokens.add(another.get("/signin/").cookies["csrftoken"])
        assert len(tokens) == 3
    stored = b"".join(
        file.read_bytes() for file in (edge.nginx.folder / "ainews").rglob("*") if file.is_file()
    )
    assert b"AI News" in stored
    assert b"sessionid" not in stored
    assert b"Set-Cookie" not in stored
    assert b"Told through Nginx" not in stored


def test_the_balancer_is_believed_and_a_client_before_it_is_not(edge: Edge) -> None:
    """Guesses of passwords count by address: the one that the balancer saw."""
    with edge.client() as client:
        client.get("/signin/")
        form = {"username": "nobody", "password": "a-guess"}
        form["csrfmiddlewaretoken"] = client.cookies["csrftoken"]

        def guess(addresses: str) -> int:
            headers = {"Referer": f"{edge.url}/signin/", "X-Forwarded-For": addresses}
            return client.post("/signin/", data=form, headers=headers).status_code

        statuses = [guess(f"198.51.100.{n}, 203.0.113.5") for n in range(12)]
        assert statuses[-1] == 429, "what the client wrote itself changes nothing"
        assert guess("203.0.113.6") == 200


def test_a_stranger_s_flood_is_refused_and_the_own_network_is_not(edge: Edge) -> None:
    def flood(address: str) -> set[int]:
        with edge.client(**{"X-Forwarded-For": address}) as client, ThreadPoolExecutor(8) as pool:
            statuses = pool.map(lambda _: client.get("/offline/").status_code, range(600))
            return set(statuses)

    assert flood("203.0.113.77") == {200, 429}
    assert flood("192.168.1.5") == {200}


@pytest.mark.parametrize("path", ["/search/", "/api/v1/search/"])
def test_a_stranger_with_a_new_session_each_time_is_refused_too(edge: Edge, path: str) -> None:
    """The limit of costly pages counts by session, which a stranger makes up."""
    address = f"198.51.100.{len(path)}"
    with edge.client(**{"X-Forwarded-For": address}) as client, ThreadPoolExecutor(8) as pool:

        def status(number: int) -> int:
            return client.get(path, headers={"Cookie": f"sessionid=made-up-{number}"}).status_code

        assert 429 in set(pool.map(status, range(600)))


def test_nginx_needs_no_module_that_it_may_not_have() -> None:
    """The modules for Brotli are packages of their own."""
    names = ("nginx.conf", "nginx-tls.conf", "nginx-locations.conf")
    text = "".join((ROOT / "deploy" / name).read_text() for name in names)
    assert not re.search(r"^\s*brotli", text, re.MULTILINE)
