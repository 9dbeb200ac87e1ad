"""Middleware of an API host: it answers the API and health checks, and nothing else."""

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse

PATHS = ("/api/", "/health")


class ApiHostMiddleware:
    """Refuses pages, the admin and static files on API_HOST. It is used only if that is set."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        host = request.META.get("HTTP_HOST", "").partition(":")[0].lower().rstrip(".")
        if host != settings.API_HOST or request.path_info.startswith(PATHS):
            return self.get_response(request)
        where = f" Pages are at {settings.SITE_URL}." if settings.SITE_URL else ""
        return JsonResponse({"detail": f"This host answers the API alone.{where}"}, status=404)
