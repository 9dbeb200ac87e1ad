"""The type of requests with an authenticated user."""

from django.http import HttpRequest

from accounts.models import User


class ReaderRequest(HttpRequest):
    """A request behind `login_required`."""

    user: User
