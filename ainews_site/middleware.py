"""What is the same for every page: the reader's clock and the response's headers."""

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
    """Feeds are hostile input: no inline script or style runs, and no script connects to another
    host, whatever slips through."""

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
    """Where the page's socket is. Safari before 15.4 does not count it as 'self'; a policy has no
    way to write an IPv6 address."""
    try:
        host = request.get_host()
    except DisallowedHost:
        return ""
    scheme = "wss" if request.is_secure() else "ws"
    return "" if host.startswith("[") else f"{scheme}://{host}"


class TimeZoneMiddleware:
    """Pages show the hours of the reader's own time zone."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(zone_named(request.user.time_zone)):
            return self.get_response(request)
