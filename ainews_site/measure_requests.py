"""Middleware that measures requests by route and class of status."""

import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import MiddlewareNotUsed
from django.http import HttpRequest, HttpResponse

from ainews_site.infra.metrics import REQUEST_SECONDS

NO_ROUTE, STATIC = "none", "static"
"""Routes of addresses that the site does not have, and of static files."""


class MeasureRequestsMiddleware:
    """The first middleware, so that it sees what the others answer and how long they take.

    A route is the name of a view, of which there are as many as addresses in urls.py. A path is no
    label: there are as many as items.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        if not settings.METRICS:
            raise MiddlewareNotUsed
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        started = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - started
        REQUEST_SECONDS.observe(seconds, route_of(request), f"{response.status_code // 100}xx")
        return response


def route_of(request: HttpRequest) -> str:
    """Return the name of the view that answered."""
    match = request.resolver_match
    if match is not None:
        return str(match.view_name)
    return STATIC if request.path.startswith(settings.STATIC_URL) else NO_ROUTE
