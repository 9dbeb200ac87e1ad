"""Gives requests their user, who was read by the same query as the session."""

from functools import partial
from typing import Any

from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, get_user
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare
from django.utils.functional import SimpleLazyObject

from accounts.models import User

MODEL_BACKEND = "django.contrib.auth.backends.ModelBackend"


class ReaderMiddleware(AuthenticationMiddleware):
    """Django's middleware, but a user who was read with the session is not queried again.

    Such a user must pass the same checks. If one fails, Django decides, and ends the session where
    it must.
    """

    def process_request(self, request: HttpRequest) -> None:
        super().process_request(request)
        request.user = SimpleLazyObject(partial(_user_of, request))  # type: ignore[assignment]


def _user_of(request: Any) -> Any:
    if not hasattr(request, "_cached_user"):
        request._cached_user = _valid_user(request.session) or get_user(request)
    return request._cached_user


def _valid_user(session: Any) -> User | None:
    if session.get(BACKEND_SESSION_KEY) != MODEL_BACKEND:
        return None
    user: User | None = getattr(session, "user", None)
    if user is None or not user.is_active:
        return None
    auth_hash = session.get(HASH_SESSION_KEY) or ""
    return user if constant_time_compare(auth_hash, user.get_session_auth_hash()) else None
