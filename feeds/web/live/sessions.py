"""End the sockets of readers who signed out, changed their password or were deactivated.

A request checks the session each time, a socket only when it opens. One task for each web
process therefore checks the sessions of all its open sockets together, in two queries. They also
read the cache versions of the readers, for the hub.
"""

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone

from accounts.models import ApiToken, User
from ainews_site.infra.metrics import SOCKETS
from feeds.web.live.hub import hub
from feeds.web.live.queries import in_thread

PAUSE = 1.0
"""Seconds between two checks. A socket closes within five seconds after its session ended, and a
reader's pages learn within two that something was read on another."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """The session or the API token that a socket was opened with. The hash of the password changes
    with it, even if it is set to the same again; a token outlives the password."""

    user_id: int
    password: str
    key: str
    token: str = ""

    @classmethod
    def of(cls, scope: dict[str, Any]) -> "OpenSession":
        user = scope["user"]
        return cls(user.pk, user.password, scope.get("session_key", ""), scope.get("token", ""))


def read_users(sessions: Collection[OpenSession]) -> dict[int, tuple[str, int]]:
    """Return {user id: (hash of the password, cache version)} of the active readers."""
    ids = {session.user_id for session in sessions}
    rows = User.objects.filter(pk__in=ids, is_active=True).values_list("pk", "password", "version")
    return {pk: (password, version) for pk, password, version in rows}


def read_keys(sessions: Collection[OpenSession]) -> set[str]:
    """Return the session keys that still exist."""
    store = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    rows = store.objects.filter(session_key__in={session.key for session in sessions})
    return set(rows.filter(expire_date__gt=timezone.now()).values_list("session_key", flat=True))


def read_tokens(sessions: Collection[OpenSession]) -> set[str]:
    """Return the hashes of the API tokens that still exist, without a query if there are none."""
    hashes = {session.token for session in sessions if session.token}
    if not hashes:
        return set()
    return set(ApiToken.objects.filter(token_hash__in=hashes).values_list("token_hash", flat=True))


class SessionWatcher:
    """Checks all watched sessions, and calls their `end` functions when they have ended."""

    def __init__(self) -> None:
        self._ends: dict[OpenSession, Callable[[], Awaitable[None]]] = {}
        self._counts: Counter[int] = Counter()
        self._task: asyncio.Task[None] | None = None

    def count(self, user_id: int | None = None) -> int:
        """The number of open sockets in this process, of a reader or of all."""
        return len(self._ends) if user_id is None else self._counts[user_id]

    @contextmanager
    def watch(self, session: OpenSession, end: Callable[[], Awaitable[None]]) -> Iterator[None]:
        self._ends[session] = end
        self._counts[session.user_id] += 1
        SOCKETS.put(len(self._ends))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._ends.pop(session, None)
            SOCKETS.put(len(self._ends))
            self._counts[session.user_id] -= 1
            if not self._counts[session.user_id]:
                del self._counts[session.user_id]

    async def _run(self) -> None:
        """Check the sessions until none is left."""
        while self._ends:
            await asyncio.sleep(PAUSE)
            try:
                await self._check()
            except Error as error:  # sockets get no news either while the database is down
                logger.warning("session_check_failed reason=%s", error)
            except Exception:
                logger.exception("session_check_failed")

    async def _check(self) -> None:
        """End the sockets whose session is no longer valid for requests."""
        sessions = tuple(self._ends)
        users = await in_thread(read_users, sessions)
        keys = await in_thread(read_keys, sessions)
        tokens = await in_thread(read_tokens, sessions)
        hub.see_versions({pk: version for pk, (_, version) in users.items()})
        for session in sessions:
            password = users.get(session.user_id, (None, 0))[0]
            if session.token:
                is_valid = password is not None and session.token in tokens
            else:
                has_key = not session.key or session.key in keys
                is_valid = password == session.password and has_key
            if not is_valid and (end := self._ends.pop(session, None)):
                await end()


session_watcher = SessionWatcher()
