"""Middleware for every page: the Content-Security-Policy and the reader's time zone."""

from collections.abc import Callable

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
_POLICY_VALUE = "; ".join(f"{directive} {sources}" for directive, sources in POLICY.items())


class ContentSecurityPolicyMiddleware:
    """Sets the Content-Security-Policy, as a second defence in case the sanitiser fails.

    No inline script or style is applied, and no script connects to another host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", _POLICY_VALUE)
        return response


class TimeZoneMiddleware:
    """Activates the time zone of the reader."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return self.get_response(request)
        with timezone.override(zone_named(request.user.time_zone)):
            return self.get_response(request)
