"""The Django settings of pages on other hosts: clients of the API, an API host, and a CDN. Pure."""

from collections.abc import Iterable
from typing import Any
from urllib.parse import SplitResult, urlsplit

ANY = "*"
API_PATHS = r"^/api/"
REQUEST_HEADERS = ("accept", "authorization", "content-type", "if-none-match", "x-position")
RESPONSE_HEADERS = ("etag", "link", "retry-after", "x-position")
STATIC_PATH = "/static/"


def origins_problem(origins: Iterable[str]) -> str:
    """Return the problem of CORS_ORIGINS, or ""."""
    listed = list(origins)
    if ANY in listed:
        return "" if listed == [ANY] else "must be * alone, or a list of origins"
    for origin in listed:
        parts = _split(origin)
        if parts is None or origin != f"{parts.scheme}://{parts.netloc}":
            return f"must list origins like https://ui.example.org without a path, not {origin!r}"
    return ""


def api_host_problem(host: str) -> str:
    """Return the problem of API_HOST, or ""."""
    parts = _split(f"https://{host}")
    if parts is None or parts.hostname != host.lower():
        return f"must be a host name such as api.example.org, not {host!r}"
    return ""


def static_problem(url: str) -> str:
    """Return the problem of STATIC_URL, or ""."""
    parts = _split(url)
    is_cdn = parts is not None and parts.path == STATIC_PATH and not parts.query
    if url == STATIC_PATH or is_cdn:
        return ""
    return f"must be {STATIC_PATH} or like https://cdn.example.org{STATIC_PATH}"


def _split(url: str) -> SplitResult | None:
    """Return the parts of an http(s) URL without a user, or None."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return None
    is_http = parts.scheme in ("http", "https") and parts.hostname and not parts.username
    return parts if is_http and not parts.fragment else None


def cors_settings(origins: list[str]) -> dict[str, Any]:
    """Return the settings of django-cors-headers: for the API only, and without cookies.

    A page of another origin uses an API token, so it can do nothing in the name of a reader who
    merely visits it.
    """
    return {
        "CORS_URLS_REGEX": API_PATHS,
        "CORS_ALLOW_ALL_ORIGINS": origins == [ANY],
        "CORS_ALLOWED_ORIGINS": [origin for origin in origins if origin != ANY],
        "CORS_ALLOW_CREDENTIALS": False,
        "CORS_ALLOW_HEADERS": REQUEST_HEADERS,
        "CORS_EXPOSE_HEADERS": RESPONSE_HEADERS,
        "CORS_PREFLIGHT_MAX_AGE": 3600,
    }


def static_origin(url: str) -> str:
    """Return the origin of an absolute STATIC_URL, or ""."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""
