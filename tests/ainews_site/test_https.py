"""Behind HTTPS, only a trusted proxy sets the scheme and the address of a client."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, RequestFactory

from accounts.models import SigninToken
from ainews_site.config.https import https_settings
from ainews_site.proxies import TrustedProxyMiddleware, read_proxies
from tests.ainews_site.test_nginx import PASSWORD, Web, site_data
from tests.make import make_user

ROOT = Path(__file__).resolve().parents[2]
SITE = "https://news.example"
PRODUCTION = {"SITE_URL": SITE, "TRUSTED_PROXIES": "127.0.0.1,::1"}
GUNICORN = ["gunicorn", "-b", "127.0.0.1:PORT", "-k", "gthread", "-w", "1", "ainews_site.wsgi"]
DAPHNE = ["daphne", "-v0", "-b", "127.0.0.1", "-p", "PORT", "ainews_site.asgi:application"]
BY_PROXY = {"Host": "news.example", "X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.7"}


def check_deploy(tmp_path: Path, **settings: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"]
    places = {"DATA": str(tmp_path), "DATABASE_URL": "", "REDIS_URL": "", "DEBUG": ""}
    env = os.environ | places | settings
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


def test_production_settings_pass_the_checks_of_deployment(tmp_path: Path) -> None:
    done = check_deploy(tmp_path, **PRODUCTION)

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


def test_https_without_a_trusted_proxy_gives_a_warning(tmp_path: Path) -> None:
    done = check_deploy(tmp_path, SITE_URL=SITE)

    assert done.returncode == 1
    assert "SITE_URL is https, but TRUSTED_PROXIES is empty" in done.stderr


def test_plain_http_is_not_changed() -> None:
    made = https_settings("http://news.lan", has_proxy=True)

    assert not made["SECURE_SSL_REDIRECT"]
    assert not made["SESSION_COOKIE_SECURE"]
    assert not made["SECURE_HSTS_SECONDS"]


@pytest.mark.parametrize(
    ("peer", "forwarded", "address"),
    [
        ("10.0.0.9", "192.0.2.7", "192.0.2.7"),
        ("10.0.0.9", "203.0.113.5, 192.0.2.7", "192.0.2.7"),  # the first was made up
        ("10.0.0.9", "192.0.2.7, 10.0.0.8", "192.0.2.7"),  # two proxies
        ("10.0.0.9", "192.0.2.7:4711", "192.0.2.7"),
        ("10.0.0.9", "[2001:db8::7]:4711", "2001:db8::7"),
        ("10.0.0.9", "nonsense", "10.0.0.9"),
        ("10.0.0.9", "192.0.2.7, nonsense", "10.0.0.9"),
        ("10.0.0.9", "", "10.0.0.9"),
        ("198.51.100.4", "192.0.2.7", "198.51.100.4"),
        ("", "192.0.2.7", ""),
    ],
)
def test_the_address_comes_from_a_trusted_proxy(peer: str, forwarded: str, address: str) -> None:
    assert seen(peer, X_FORWARDED_FOR=forwarded).META["REMOTE_ADDR"] == address


@pytest.mark.parametrize(
    ("peer", "headers", "is_secure"),
    [
        ("10.0.0.9", {"X_FORWARDED_PROTO": "https"}, True),
        ("10.0.0.9", {"X_FORWARDED_PROTO": "http"}, False),
        ("10.0.0.9", {"X_FORWARDED_PROTO": "https, http"}, False),  # the first was made up
        ("10.0.0.9", {}, False),
        ("198.51.100.4", {"X_FORWARDED_PROTO": "https"}, False),
        ("", {"X_FORWARDED_PROTO": "https"}, False),
    ],
)
def test_the_scheme_comes_from_a_trusted_proxy(
    peer: str, headers: dict[str, str], is_secure: bool
) -> None:
    assert seen(peer, **headers).is_secure() is is_secure


def test_a_unix_socket_can_be_trusted() -> None:
    request = seen("", "unix", X_FORWARDED_FOR="192.0.2.7", X_FORWARDED_PROTO="https")

    assert request.META["REMOTE_ADDR"] == "192.0.2.7"
    assert request.is_secure()


def seen(peer: str, proxies: str = "10.0.0.0/24", **headers: str) -> HttpRequest:
    """Return a request as a view gets it."""
    sent: dict[str, Any] = {f"HTTP_{name}": value for name, value in headers.items()}
    request = RequestFactory().get("/", REMOTE_ADDR=peer, **sent)
    TrustedProxyMiddleware(lambda _: HttpResponse(), read_proxies(proxies.split(",")))(request)
    return request


@pytest.mark.parametrize("written", ["10.0.0", "proxy", "10.0.0.1/8"])
def test_an_invalid_proxy_is_one_clear_sentence(tmp_path: Path, written: str) -> None:
    done = check_deploy(tmp_path, TRUSTED_PROXIES=written)

    assert done.returncode == 1
    assert f"TRUSTED_PROXIES: '{written}' is not an address or a network" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return site_data(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module", params=[GUNICORN, DAPHNE], ids=["gunicorn", "daphne"])
def server(request: pytest.FixtureRequest, data: Path) -> Iterator[str]:
    with Web(request.param, data, PRODUCTION) as web:
        yield f"http://127.0.0.1:{web.port}"


@contextmanager
def signed_in(server: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server, headers=BY_PROXY, timeout=60) as client:
        token = client.get("/signin/").cookies["csrftoken"]
        headers = {"Referer": f"{SITE}/signin/", "Cookie": f"csrftoken={token}"}
        form = {"username": "reader", "password": PASSWORD, "csrfmiddlewaretoken": token}
        answer = client.post("/signin/", data=form, headers=headers)
        assert answer.status_code == 302
        for cookie in answer.headers.get_list("set-cookie"):
            assert "; Secure" in cookie, cookie
        client.headers["Cookie"] = f"sessionid={answer.cookies['sessionid']}"
        yield client


def test_http_is_redirected_to_the_address_of_the_site(server: str) -> None:
    answer = httpx.get(f"{server}/river/?unread=1", headers={"Host": "127.0.0.1"})

    assert answer.status_code == 301
    assert answer.headers["Location"] == f"{SITE}/river/?unread=1"
    assert httpx.get(f"{server}/health").status_code == 200
    assert httpx.get(f"{server}/health/ready").status_code == 200


def test_cookies_and_pages_stay_on_https(server: str) -> None:
    with signed_in(server) as client:
        page = client.get("/digest/delivery/")

    assert page.status_code == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=2592000"


@pytest.mark.parametrize("server", [GUNICORN], ids=["gunicorn"], indirect=True)
def test_links_use_the_address_of_the_site(server: str) -> None:
    with signed_in(server) as client:
        client.headers["Host"] = "127.0.0.1"  # another name of the same site
        page = client.get("/digest/delivery/").text
        path = page.partition(f'href="{SITE}')[2].partition('"')[0]
        feed = client.get(path)

    assert feed.status_code == 200
    assert f'<link href="{SITE}{path}" rel="self"' in feed.text
    assert "127.0.0.1" not in feed.text


@pytest.mark.parametrize("command", [GUNICORN, DAPHNE], ids=["gunicorn", "daphne"])
def test_no_proxy_is_trusted_by_default(command: list[str], data: Path) -> None:
    with Web(command, data, {"SITE_URL": SITE}) as web:
        for name, value in (
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Protocol", "ssl"),
            ("X-Forwarded-Ssl", "on"),
        ):
            answer = httpx.get(f"http://127.0.0.1:{web.port}/signin/", headers={name: value})
            assert answer.status_code == 200
            assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.django_db
def test_a_sign_in_link_through_a_proxy_needs_https(settings: Any) -> None:
    settings.TRUSTED_PROXIES = read_proxies(["10.0.0.9"])
    token = SigninToken.issue(make_user())

    def open_link(scheme: str) -> int:
        headers = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": scheme}
        answer = Client().get(f"/signin/{token}", headers=headers, REMOTE_ADDR="10.0.0.9")
        return answer.status_code

    assert open_link("http") == 403
    assert open_link("https") == 302


def test_the_printed_link_has_the_address_of_the_site(data: Path) -> None:
    command = [sys.executable, "manage.py", "signin_link", "reader"]
    places = {"DATA": str(data), "DATABASE_URL": "", "REDIS_URL": ""}
    env = os.environ | places | PRODUCTION
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=True)

    assert done.stdout.startswith(f"{SITE}/signin/")
