"""Validates addresses in the settings. Pure.

Problems are phrases that follow the name of the setting. They do not quote the address, because it
may contain a password.
"""

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

REDIS_FORM = "redis://:password@host:6379/0"
REDIS_PORT = 6379
MAIL_SCHEMES = ("smtp", "smtps", "smtp+tls", "smtp+ssl", "consolemail", "filemail")


def site_problem(url: str) -> str:
    """Return the problem of SITE_URL, or ""."""
    try:
        parts = urlsplit(url)
        is_site = parts.scheme in ("http", "https") and bool(parts.hostname)
        is_bare = not (parts.path or parts.query or parts.fragment or parts.username)
        _ = parts.port
    except ValueError:
        return "is not a valid URL"
    return "" if is_site and is_bare else "must be http(s)://host without a path"


def mail_problem(url: str) -> str:
    """Return the problem of the address of the mail server, or ""."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return "is not a valid URL"
    if parts.scheme not in MAIL_SCHEMES:
        return f"must begin with one of {', '.join(f'{name}://' for name in MAIL_SCHEMES)}"
    return "" if parts.hostname or not parts.scheme.startswith("smtp") else "has no host"


def redis_problem(url: str) -> str:
    """Return the problem of REDIS_URL, or ""."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return f"needs a port between 1 and 65535, as in {REDIS_FORM}"
    if parts.scheme == "unix":
        return "" if parts.path else "needs a path, as in unix:///run/redis.sock?db=0"
    if parts.scheme not in ("redis", "rediss") or not parts.hostname:
        return f"must be like {REDIS_FORM}"
    if port == 0:
        return f"needs a port between 1 and 65535, as in {REDIS_FORM}"
    number = parts.path.strip("/")
    if number and not number.isdecimal():
        return f"must end in a database number, as in {REDIS_FORM}"
    return _tls_problem(parts.query, has_tls=parts.scheme == "rediss")


def _tls_problem(query: str, *, has_tls: bool) -> str:
    """Return the problem of the parameters of TLS, as redis-py calls them, or ""."""
    for name, value in parse_qsl(query):
        if name.startswith("ssl_") and not has_tls:
            return f"has {name}, which needs rediss://"
        if name in ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile") and not Path(value).is_file():
            return f"names a file that does not exist in {name}"
        if name == "ssl_cert_reqs" and value not in ("required", "optional", "none"):
            return "must have ssl_cert_reqs=required, optional or none"
    return ""


def redis_place(url: str) -> str:
    """Return host and port, or the path of the socket, without the password."""
    parts = urlsplit(url)
    return parts.path if parts.scheme == "unix" else f"{parts.hostname}:{parts.port or REDIS_PORT}"
