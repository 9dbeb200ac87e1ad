"""Identify the readers of new sockets by their sessions, with two queries for all that open at
the same time, or by an API token.

A browser can't send headers with a socket, so the token is offered as a subprotocol:
`new WebSocket(url, ["ainews", token])`. The server selects `ainews`.
"""

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

from accounts.models import TOKEN_PREFIX, ApiToken, User, hash_token
from feeds.web.live.origins import is_foreign
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
        token = token_of(scope)
        key = "" if token or is_foreign(origin_of(scope)) else session_key_of(scope)
        try:
            user = await self._reader(key, token)
        except Error:
            await send({"type": "websocket.close", "code": TRY_LATER})
            return
        scope |= {"user": user or AnonymousUser(), "session_key": key, "token": token}
        await self.application(scope, receive, send)

    async def _reader(self, key: str, token: str) -> User | None:
        if token:
            return await token_readers.get(token)
        return await readers.get(key) if key else None


def token_of(scope: Scope) -> str:
    """Return the hash of the API token among the subprotocols, or ""."""
    tokens = (name for name in scope.get("subprotocols", ()) if name.startswith(TOKEN_PREFIX))
    return next(map(hash_token, tokens), "")


def origin_of(scope: Scope) -> str:
    origins = (value for name, value in scope["headers"] if name == b"origin")
    return next(origins, b"").decode("latin-1")


def find_token_readers(hashes: Collection[str]) -> dict[str, User]:
    """Return the active readers of the tokens with these hashes."""
    tokens = ApiToken.objects.filter(token_hash__in=hashes, user__is_active=True)
    return {token.token_hash: token.user for token in tokens.select_related("user")}


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
token_readers: Batch[str, User] = Batch(find_token_readers)
"""The readers of hashes of API tokens."""
