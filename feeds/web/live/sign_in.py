"""Identify the readers of new sockets by their sessions, with two queries for all that open at
the same time."""

from collections.abc import Awaitable, Callable, Collection
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.models import AnonymousUser
from django.db import Error
from django.http import parse_cookie
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User
from feeds.web.live.queries import Batch

TRY_LATER = 4503
"""The close code while the database does not respond, as in feeds.web.live.socket."""

Scope = dict[str, Any]
Application = Callable[[Scope, Any, Any], Awaitable[None]]


class ReaderSignIn:
    """ASGI middleware that sets `user` and `session_key` of the scope, as Django's and Channels'
    middleware do for requests."""

    def __init__(self, application: Application) -> None:
        self.application = application

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        key = session_key_of(scope)
        try:
            user = await readers.get(key) if key else None
        except Error:
            await send({"type": "websocket.close", "code": TRY_LATER})
            return
        scope |= {"user": user or AnonymousUser(), "session_key": key}
        await self.application(scope, receive, send)


def session_key_of(scope: Scope) -> str:
    """Return the session key of the cookies, or ""."""
    cookies = b"; ".join(value for name, value in scope["headers"] if name == b"cookie")
    return parse_cookie(cookies.decode("latin-1")).get(settings.SESSION_COOKIE_NAME, "")


def find_readers(keys: Collection[str]) -> dict[str, User]:
    """Return the active readers of these session keys. Other keys are left out."""
    store = import_module(settings.SESSION_ENGINE).SessionStore
    rows = store.get_model_class().objects.filter(session_key__in=keys)
    rows = rows.filter(expire_date__gt=timezone.now()).values_list("session_key", "session_data")
    decode = store().decode
    sessions = {key: decode(data) for key, data in rows}
    ids = {user_id for session in sessions.values() if (user_id := _user_id(session))}
    users = User.objects.filter(is_active=True).in_bulk(ids)
    return {
        key: user
        for key, session in sessions.items()
        if (user := users.get(_user_id(session))) and _is_valid(session, user)
    }


def _user_id(session: dict[str, Any]) -> int:
    """Return the id of the session's user, or 0 if nobody is signed in."""
    if session.get(BACKEND_SESSION_KEY) not in settings.AUTHENTICATION_BACKENDS:
        return 0
    try:
        return int(session.get(SESSION_KEY, 0))
    except ValueError:
        return 0


def _is_valid(session: dict[str, Any], user: User) -> bool:
    """Return True if the password is still the one that the session was made with."""
    signature = session.get(HASH_SESSION_KEY) or ""
    hashes = (user.get_session_auth_hash(), *user.get_session_auth_fallback_hash())
    return any(constant_time_compare(signature, expected) for expected in hashes)


readers: Batch[str, User] = Batch(find_readers)
"""The readers of session keys."""
