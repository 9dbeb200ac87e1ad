"""The views for errors, and for a form whose token does not fit the session."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from ainews_site.infra.problem_page import API, Problem, problem_response

BAD_REQUEST = Problem(
    "Unreadable request",
    "This site can't read what your browser sent.",
    "Nothing was saved.",
    "Go back, reload the page and try again.",
)
OLD_FORM = Problem(
    "Reload and try again",
    "Your session changed, or this form is too old.",
    "Nothing was saved.",
    "Go back, reload the page and try again.",
)
NO_COOKIE = Problem(
    "Cookies are needed",
    "Your browser sent no cookie with this form, so the site can't check where it came from.",
    "Nothing was saved.",
    "Allow cookies for this site. Then go back, reload the page and try again.",
)
SERVER_ERROR = Problem(
    "Something went wrong",
    "Something broke on our side.",
    "The error was logged. Your news is safe.",
    "Try again in a moment.",
)
WRONG_METHOD = Problem(
    "Nothing to show here",
    "This address only accepts forms.",
    "Nothing was changed.",
    "Go back to the page with the form and send it there.",
)
OFFLINE = Problem(
    "You're offline",
    "AI News can't be reached right now.",
    "Nothing was sent or saved.",
    "Check your connection, then try again.",
    link="",
    label="Try again",
)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return problem_response(request, 400, BAD_REQUEST)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form without a fitting token. Django logs the reason."""
    has_cookie = bool(request.COOKIES)
    return problem_response(request, 403, OLD_FORM if has_cookie else NO_COOKIE)


def server_error_page(request: HttpRequest) -> HttpResponse:
    return problem_response(request, 500, SERVER_ERROR)


class WrongMethodMiddleware:
    """Explains responses 405, which Django leaves empty."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_ours = isinstance(response, HttpResponseNotAllowed)
        if is_ours and not response.content and not request.path_info.startswith(API):
            response.content = problem_response(request, 405, WRONG_METHOD).content
        return response
