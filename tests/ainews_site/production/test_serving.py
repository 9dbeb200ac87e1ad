"""The rows of the checklist that ask the site, which is a real server here."""

import ssl
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings

from ainews_site.production import serving
from ainews_site.production.row import State
from tests.ainews_site.test_nginx import Web, site_data
from tests.services import free_port

TOKEN = "a-token-of-prometheus-that-is-long"
CACHED = {"Cache-Control": "max-age=31536000, public, immutable", "Content-Encoding": "br"}


class Site(BaseHTTPRequestHandler):
    """Answers what the test has put into `answers`: {path: (status, headers)}."""

    answers: dict[str, tuple[int, dict[str, str]]] = {}

    def do_GET(self) -> None:
        path = "/static" if self.path.startswith("/static/") else self.path
        if self.headers["Authorization"] == f"Bearer {TOKEN}":
            path += " with token"
        status, headers = self.answers.get(path, (404, {}))
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    Site.answers = {}
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def site(server: ThreadingHTTPServer, settings: LazySettings) -> LazySettings:
    settings.SITE_URL = f"http://127.0.0.1:{server.server_port}"
    settings.METRICS_TOKEN, settings.METRICS_NETWORKS = "", []
    return settings


def test_health_is_asked_at_the_address_of_the_site(site: LazySettings) -> None:
    Site.answers = {"/health": (200, {}), "/health/ready": (503, {})}
    outcome = serving.health()
    assert outcome.state == State.NOT_DONE
    assert outcome.sentence == "/health/ready answers 503."

    Site.answers["/health/ready"] = (200, {})
    assert serving.health().state == State.OK


def test_a_site_that_does_not_answer_is_not_done(settings: LazySettings) -> None:
    settings.SITE_URL = f"https://127.0.0.1:{free_port()}"
    rows = (serving.health, serving.monitoring, serving.static_files, serving.tls)

    outcomes = [row() for row in rows]

    assert {outcome.state for outcome in outcomes} == {State.NOT_DONE}
    assert all("does not answer" in outcome.sentence for outcome in outcomes)


@pytest.mark.parametrize(
    ("headers", "state"),
    [
        (CACHED, State.OK),
        (CACHED | {"Cache-Control": "max-age=60"}, State.WARNING),
        ({"Cache-Control": CACHED["Cache-Control"]}, State.WARNING),
    ],
)
def test_static_files_are_compressed_and_cached_for_a_year(
    site: LazySettings, headers: dict[str, str], state: State
) -> None:
    Site.answers = {"/static": (200, headers)}

    assert serving.static_files().state == state


def test_a_cdn_without_the_files_is_not_done(
    site: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = f"{site.SITE_URL}/static/css/base.abc.css"
    monkeypatch.setattr(serving.staticfiles_storage, "url", lambda name: address)
    assert serving.static_files().state == State.NOT_DONE

    Site.answers = {"/static": (200, CACHED)}
    assert serving.static_files().sentence.startswith(f"The CDN at {site.SITE_URL} sends")


@pytest.mark.parametrize(
    ("token", "networks", "without", "with_token", "state"),
    [
        ("", [], 404, 404, State.NOT_DONE),  # off
        ("", [], 200, 200, State.NOT_DONE),  # open to everybody
        (TOKEN, [], 200, 200, State.NOT_DONE),
        (TOKEN, [], 401, 200, State.OK),
        ("", ["127.0.0.1"], 200, 404, State.OK),
        ("", ["0.0.0.0/0"], 200, 404, State.NOT_DONE),
        ("", ["10.0.0.0/8"], 403, 404, State.WARNING),
    ],
)
def test_metrics_are_read_by_those_who_may(
    site: LazySettings,
    token: str,
    networks: list[str],
    without: int,
    with_token: int,
    state: State,
) -> None:
    site.METRICS_TOKEN, site.METRICS_NETWORKS, site.METRICS_LISTEN = token, networks, ""
    Site.answers = {"/metrics": (without, {}), "/metrics with token": (with_token, {})}

    assert serving.monitoring().state == state


def test_metrics_may_have_an_address_of_their_own(site: LazySettings) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as other:
        thread = threading.Thread(target=other.serve_forever, args=(0.05,))
        thread.start()
        site.METRICS_LISTEN = f"127.0.0.1:{other.server_port}"
        assert serving.monitoring().state == State.NOT_DONE
        Site.answers = {"/metrics": (200, {})}
        site.SITE_URL = "http://127.0.0.1:9"
        assert serving.monitoring().state == State.OK
        other.shutdown()
        thread.join()


def certificate(folder: Path, days: int) -> ssl.SSLContext:
    files = ("-keyout", str(folder / "key.pem"), "-out", str(folder / "certificate.pem"))
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", str(days)]
    subject = ("-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1")
    subprocess.run([*command, *subject, *files], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "certificate.pem", folder / "key.pem")
    return context


@pytest.mark.parametrize(("days", "state"), [(3, State.WARNING), (60, State.OK)])
def test_the_certificate_is_that_of_the_site(
    site: LazySettings,
    server: ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    days: int,
    state: State,
) -> None:
    assert serving.tls().sentence.endswith("without TLS.")
    server.socket = certificate(tmp_path, days).wrap_socket(server.socket, server_side=True)
    site.SITE_URL = f"https://127.0.0.1:{server.server_port}"
    site.TRUSTED_PROXIES, site.SECURE_HSTS_SECONDS = ["127.0.0.1"], 3600
    assert serving.tls().sentence.startswith("The certificate is not valid")

    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    assert serving.tls().state == state

    site.SECURE_HSTS_SECONDS = 0
    assert serving.tls().state == State.WARNING
    site.TRUSTED_PROXIES = []
    assert serving.tls().state == State.WARNING


def test_a_site_over_http_beside_https_is_a_warning(
    site: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = site.SITE_URL
    problem, location = serving.http_problem, {"Location": "https://news.lan/signin/"}
    Site.answers = {"/signin/": (200, {})}
    assert problem(base) == f"{base} answers 200 and leads to no HTTPS."
    Site.answers = {"/signin/": (301, location)}
    assert problem(base) == ""
    assert problem("http://127.0.0.1:9") == ""

    site.SITE_URL = "https://news.lan"
    site.TRUSTED_PROXIES, site.SECURE_HSTS_SECONDS = ["127.0.0.1"], 3600
    monkeypatch.setattr(serving, "certificate_days", lambda *_: 60)
    monkeypatch.setattr(serving, "http_problem", lambda base: f"{base} is open.")
    outcome = serving.tls()
    assert (outcome.state, outcome.sentence) == (State.WARNING, "http://news.lan is open.")


def test_the_rows_hold_of_the_real_site(tmp_path: Path, settings: LazySettings) -> None:
    """Nothing is in front of it, so that all but TLS is the application's own."""
    gunicorn = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "--threads", "4"]
    data, given = site_data(tmp_path), {"METRICS_TOKEN": TOKEN}
    with Web([*gunicorn, "ainews_site.wsgi"], data, given) as web:
        settings.SITE_URL = f"http://127.0.0.1:{web.port}"
        settings.METRICS_TOKEN, settings.METRICS_NETWORKS = TOKEN, []
        outcomes = [serving.health(), serving.static_files(), serving.monitoring()]
        settings.METRICS_TOKEN = ""
        assert serving.monitoring().state == State.NOT_DONE

    assert [outcome.state for outcome in outcomes] == [State.OK] * 3, outcomes
