"""Middleware for every page: the Content-Security-Policy and the reader's time zone."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ainews_site.config.origins import static_origin
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
FROM_CDN = ("style-src", "script-src", "connect-src", "font-src")
"""Directives that also allow the host of an absolute STATIC_URL.

The service worker fetches from it, too.
"""


def policy_value(static_url: str) -> str:
    """Return the header for static files at `static_url`."""
    cdn = static_origin(static_url)
    policy = POLICY | (dict.fromkeys(FROM_CDN, f"'self' {cdn}") if cdn else {})
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


class ContentSecurityPolicyMiddleware:
    """Sets the Content-Security-Policy, as a second defence in case the sanitiser fails.

    No inline script or style is applied, and no script connects to another host.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response
        self.value = policy_value(settings.STATIC_URL)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        response.headers.setdefault("Content-Security-Policy", self.value)
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
