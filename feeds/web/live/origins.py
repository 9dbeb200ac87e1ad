"""Which pages may open a socket: those of the site, and those of CORS_ORIGINS with an API token."""

from typing import Any
from urllib.parse import urlsplit

from channels.security.websocket import OriginValidator
from django.conf import settings
from django.http.request import validate_host

LOCAL = ("localhost", "127.0.0.1", "[::1]")
"""Hosts that Django allows with DEBUG if ALLOWED_HOSTS is empty."""


def allow_origins(application: Any) -> Any:
    """Refuse sockets of pages of other origins."""
    return OriginValidator(application, [*own_hosts(), *settings.CORS_ORIGINS])


def own_hosts() -> list[str]:
    return list(settings.ALLOWED_HOSTS) or list(LOCAL if settings.DEBUG else ())


def is_foreign(origin: str) -> bool:
    """Return True for a page of CORS_ORIGINS, whose socket is not signed in by cookies."""
    host = urlsplit(origin).hostname
    if not host:
        return False
    return origin in settings.CORS_ORIGINS or not validate_host(host, own_hosts())
