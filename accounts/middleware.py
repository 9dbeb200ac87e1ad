"""Answers 429 to requests that exceed a limit, and sets the device cookie after a sign-in."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from accounts.buckets import Buckets
from accounts.delays import delay_refusal
from accounts.limits import TooMany
from accounts.signin_guard import client_network, set_device_cookie, uncount_signin
from ainews_site.infra.problem_page import Problem, problem_response
from ainews_site.infra.process_state import resets_process_state

SIGNIN_PATHS = ("/signin/", "/admin/login/")
signin_floods = Buckets(burst=60, per_second=2)
"""Limits POST requests of one address to the sign-in forms, in one process.

It makes refusals cheap, because the sign-in guard needs the form, the session and shared counts.
"""
resets_process_state(signin_floods.clear)


class TooManyMiddleware:
    """Turns TooMany into a response 429 with `Retry-After` and the time to wait in words."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.method == "POST" and request.path_info in SIGNIN_PATHS:
            try:
                signin_floods.take(client_network(request))
            except TooMany as error:
                delay_refusal(request)
                return too_many(request, error)
        response = self.get_response(request)
        set_device_cookie(request, response)
        return response

    def process_exception(self, request: HttpRequest, error: Exception) -> HttpResponse | None:
        if not isinstance(error, TooMany):
            return None
        uncount_signin(request)
        return too_many(request, error)


def too_many(request: HttpRequest, error: TooMany) -> HttpResponse:
    problem = Problem(
        "Please wait",
        str(error),
        "This request was not carried out.",
        link=request.get_full_path(),
        label="Try again",
    )
    response = problem_response(request, 429, problem)
    response.headers["Retry-After"] = str(error.wait)
    response.headers["Cache-Control"] = "no-store"
    response.refusal = error  # type: ignore[attr-defined]
    # There may be many, and they are no failures of the site.
    response._has_been_logged = True  # type: ignore[attr-defined]
    return response
