"""The site, with addresses that fail in each way."""

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.urls import path

from accounts.limits import TooMany
from ainews_site.urls import handler400, handler500, urlpatterns

__all__ = ["handler400", "handler500"]


def broken(request: HttpRequest) -> HttpResponse:
    raise ValueError("this view is broken")


def forbidden(request: HttpRequest) -> HttpResponse:
    raise PermissionDenied


def limited(request: HttpRequest) -> HttpResponse:
    raise TooMany(30)


urlpatterns = [
    path("broken/", broken),
    path("api/v1/broken/", broken),
    path("forbidden/", forbidden),
    path("limited/", limited),
    *urlpatterns,
]
