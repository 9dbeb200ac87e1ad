"""Liveness: does this process answer, and does its database."""

import os

from django.db import connection
from django.http import HttpRequest, JsonResponse


def health(request: HttpRequest) -> JsonResponse:
    """200 `{"status": "ok"}` when the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer is 503
        return JsonResponse({"status": "unavailable", "error": type(error).__name__}, status=503)
    # Whoever started this server can tell it from another one at the same address.
    return JsonResponse({"status": "ok"}, headers={"X-Run": os.environ.get("AINEWS_RUN", "")})
