"""Middleware for every page: the Content-Security-Policy and the reader's time zone."""

from collections.abc import Callable

from django.core.exceptions import DisallowedHost
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ainews_site.infra.timezones import zone_named

POLICY = {
    "default-src": "'self'",
    "img-src": "'self' https: http: data:",
    "media-src": "https: http:",
    "style-src": "'self'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "frame-src": (
        "https://www.youtube-nocookie.com https://www.youtube.com https://player.vimeo.com"
    ),
    "object-src": "'none'",
    "base-uri": "'none'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}


class ContentSecurityPolicyMiddleware:
    """Sets the Content-Security-Policy, as a second defence in case the sanitiser fails.

    No inline script or style is applied, and no script connects to another host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        connect = f"{POLICY['connect-src']} {_socket_origin(request)}".strip()
        policy = POLICY | {"connect-src": connect}
        value = "; ".join(f"{directive} {sources}" for directive, sources in policy.items())
        response.headers.setdefault("Content-Security-Policy", value)
        return response


def _socket_origin(request: HttpRequest) -> str:
    """Return the origin of the page's WebSocket, or "" for an IPv6 host.

    In Safari before 15.4, 'self' does not include it. A policy cannot contain IPv6 addresses.
    """
    try:
        host = request.get_host()
    except DisallowedHost:
        return ""
    scheme = "wss" if request.is_secure() else "ws"
    return "" if host.startswith("[") else f"{scheme}://{host}"


class TimeZoneMiddleware:
    """Activates the time zone of the reader."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(zone_named(request.user.time_zone)):
            return self.get_response(request)
