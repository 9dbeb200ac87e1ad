"""The site, with addresses that fail while they hold a secret."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.urls import path

from ainews_site.infra.enqueue import enqueue_fast
from ainews_site.urls import handler400, handler500, urlpatterns

__all__ = ["handler400", "handler500"]


def crash(request: HttpRequest) -> HttpResponse:
    secret, cookies = settings.OPENAI_API_KEY, request.headers.get("Cookie", "")
    raise ValueError(f"{request.build_absolute_uri()} with {secret}, Cookie: {cookies}")


def enqueue(request: HttpRequest) -> HttpResponse:
    enqueue_fast("tests.ainews_site.observe.failing_urls.task", request.GET["secret"])
    return HttpResponse("queued")


def task(secret: str) -> None:
    raise RuntimeError(f"https://news.example/private/{secret}/feed.xml failed, token={secret}")


urlpatterns = [
    path("crash/", crash, name="crash"),
    path("enqueue/", enqueue, name="enqueue"),
    *urlpatterns,
]
