"""The Content-Security-Policy, a second defence in case the sanitiser fails."""

import pytest
from django.conf import LazySettings
from django.test import Client

from tests.make import make_user

pytestmark = pytest.mark.django_db

PAGES = ["/signin/", "/", "/river/", "/digest/", "/preferences/", "/admin/", "/api/v1/sources/"]
ERRORS = ["/no-such-page", "/api/v1/items/1/"]
RUNS_CODE = ("default-src", "script-src", "style-src", "object-src", "base-uri", "connect-src")
"""The directives that limit what a page can run and where it can connect to."""


def policy(client: Client, path: str, **options: object) -> dict[str, list[str]]:
    """Return {directive: sources} as a browser does, which ignores repeated directives."""
    value = client.get(path, **options).headers["Content-Security-Policy"]  # type: ignore[arg-type]
    directives: dict[str, list[str]] = {}
    for part in value.split(";"):
        name, *sources = part.split()
        assert name not in directives, f"{name} stands twice"
        directives[name] = sources
    return directives


@pytest.mark.parametrize("path", PAGES + ERRORS)
def test_the_policy_allows_only_code_of_this_site(client: Client, path: str) -> None:
    client.force_login(make_user("staff", is_staff=True, is_superuser=True))

    found = policy(client, path)

    assert found["default-src"] == found["script-src"] == found["style-src"] == ["'self'"]
    assert found["object-src"] == found["base-uri"] == found["frame-ancestors"] == ["'none'"]
    assert found["form-action"] == ["'self'"]
    assert set(found) >= {*RUNS_CODE, "form-action", "frame-ancestors"}
    for name in RUNS_CODE:
        assert not [one for one in found[name] if "unsafe" in one or one.startswith("'nonce-")]
        assert not {"*", "http:", "https:", "ws:", "wss:", "data:", "blob:"} & set(found[name])


def test_scripts_connect_only_to_this_site(client: Client, settings: LazySettings) -> None:
    settings.ALLOWED_HOSTS = ["news.example", "[::1]"]

    for secure, host in ((False, "news.example:81"), (True, "news.example"), (False, "[::1]:8000")):
        found = policy(client, "/signin/", secure=secure, headers={"host": host})
        assert found["connect-src"] == ["'self'"]


def test_the_policy_never_names_another_host(client: Client) -> None:
    answer = client.get("/signin/", headers={"host": "evil.example"})

    assert answer.status_code == 400
    assert "evil" not in answer.headers.get("Content-Security-Policy", "")
