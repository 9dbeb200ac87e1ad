"""Settings of other hosts: clients of the API, an API host, and a CDN."""

import pytest

from ainews_site.config.origins import (
    api_host_problem,
    cors_settings,
    origins_problem,
    static_problem,
)
from ainews_site.middleware import policy_value


@pytest.mark.parametrize(
    ("origins", "problem"),
    [
        ([], ""),
        (["*"], ""),
        (["https://ui.example.org", "http://localhost:3000"], ""),
        (["*", "https://ui.example.org"], "must be * alone, or a list of origins"),
        (["ui.example.org"], "must list origins like https://ui.example.org without a path"),
        (["https://ui.example.org/app"], "must list origins like"),
        (["https://a:b@ui.example.org"], "must list origins like"),
    ],
)
def test_origins_have_a_scheme_and_no_path(origins: list[str], problem: str) -> None:
    found = origins_problem(origins)
    assert found.startswith(problem)
    assert bool(found) == bool(problem)


@pytest.mark.parametrize("origins", [["*"], ["https://ui.example.org"]])
def test_cookies_are_accepted_from_no_other_origin(origins: list[str]) -> None:
    assert cors_settings(origins)["CORS_ALLOW_CREDENTIALS"] is False
    assert cors_settings(origins)["CORS_URLS_REGEX"] == "^/api/"


@pytest.mark.parametrize(
    ("host", "is_valid"),
    [("api.example.org", True), ("https://api.example.org", False), ("api.example.org:443", False)],
)
def test_the_api_host_is_a_host_name(host: str, is_valid: bool) -> None:
    assert (api_host_problem(host) == "") is is_valid


@pytest.mark.parametrize(
    ("url", "is_valid"),
    [
        ("/static/", True),
        ("https://cdn.example.org/static/", True),
        ("https://cdn.example.org/", False),
        ("https://cdn.example.org/static/?v=1", False),
        ("//cdn.example.org/static/", False),
        ("/assets/", False),
    ],
)
def test_a_cdn_has_the_path_of_the_site(url: str, is_valid: bool) -> None:
    assert (static_problem(url) == "") is is_valid


def test_the_policy_allows_the_cdn_alone() -> None:
    assert "cdn" not in policy_value("/static/")
    policy = policy_value("https://cdn.example.org/static/")
    assert "script-src 'self' https://cdn.example.org;" in policy
    assert "form-action 'self';" in policy
