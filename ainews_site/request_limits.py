"""Limits on the size of request bodies, and the middleware that rejects larger ones unread.

deploy/nginx-locations.conf sets the same limits.
"""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from ainews_site.infra.problem_page import Problem, problem_response

KIB = 1024
FORM, API, ADMIN, OPML = 64 * KIB, 256 * KIB, 1024 * KIB, 12 * 1024 * KIB
"""Bytes. An OPML file may have 10 MiB; the rest is for the form around it."""
MAX_DRAINED = 256 * KIB
"""A body that exceeds its limit by no more than this is read and discarded, so that the client can
keep the connection."""
OPML_PATH, API_PATH, ADMIN_PATH = "/sources/import/", "/api/", "/admin/"


def limit_for(path: str, *, is_reader: bool) -> int:
    """Return the limit in bytes for the body of a request to `path`.

    Users who are not signed in send only forms and small API requests.
    """
    if path.startswith(API_PATH):
        return API
    if not is_reader:
        return FORM
    if path == OPML_PATH:
        return OPML
    return ADMIN if path.startswith(ADMIN_PATH) else FORM


def refusal_message(limit: int) -> str:
    """Return the message for a body that is too large, with the limit in units of 1,024 bytes."""
    size = f"{limit // KIB} KB" if limit < 1024 * KIB else f"{limit // KIB // KIB} MB"
    return f"The request is too large: the limit is {size}."


class BodyLimitMiddleware:
    """Rejects a body that is larger than its limit.

    It must stand after ReaderMiddleware. CsrfViewMiddleware reads the body only in its
    `process_view`, which runs later.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        length, path = _length(request), request.path_info
        # Looking up the user costs a query, so it is done for large bodies only.
        if length <= FORM or length <= limit_for(path, is_reader=False):
            return self.get_response(request)
        limit = limit_for(path, is_reader=request.user.is_authenticated)
        if length <= limit:
            return self.get_response(request)
        if length <= limit + MAX_DRAINED:
            request.read()
        return _too_large(request, limit)


def _length(request: HttpRequest) -> int:
    """Return the announced length in bytes.

    WSGI servers read no more than that. For bodies without a length, `ainews_site.daphne_limits`
    counts the received bytes.
    """
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def _too_large(request: HttpRequest, limit: int) -> HttpResponse:
    advice = "Go back and send less."
    problem = Problem(
        "Too large", refusal_message(limit), "Nothing was saved.", advice, request.path, "Back"
    )
    return problem_response(request, 413, problem)
