"""End the sockets of readers who signed out, changed their password or were deactivated.

A request checks the session each time, a socket only when it opens. One task for each web
process therefore checks the sessions of all its open sockets together, in two queries.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import Error
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User
from feeds.web.live.queries import in_thread

PAUSE = 2.0
"""Seconds between two checks. A socket closes within five seconds after its session ended."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class OpenSession:
    """The session that a socket was opened with. `auth_hash` changes with the password."""

    user_id: int
    auth_hash: str
    key: str | None

    @classmethod
    def of(cls, scope: dict[str, Any]) -> "OpenSession":
        user, session = scope["user"], scope.get("session")
        return cls(user.pk, user.get_session_auth_hash(), session and session.session_key)

    def is_valid(self, user: User | None, keys: Collection[str]) -> bool:
        if user is None or (self.key and self.key not in keys):
            return False
        return constant_time_compare(self.auth_hash, user.get_session_auth_hash())


def find_ended(sessions: Collection[OpenSession]) -> list[OpenSession]:
    """Return the sessions that are no longer valid for requests."""
    ids = {session.user_id for session in sessions}
    users = User.objects.filter(pk__in=ids, is_active=True).only("password").in_bulk()
    store = import_module(settings.SESSION_ENGINE).SessionStore.get_model_class()
    rows = store.objects.filter(session_key__in={session.key for session in sessions})
    keys = set(rows.filter(expire_date__gt=timezone.now()).values_list("session_key", flat=True))
    return [s for s in sessions if not s.is_valid(users.get(s.user_id), keys)]


class SessionWatcher:
    """Checks all watched sessions, and calls their `end` functions when they have ended."""

    def __init__(self) -> None:
        self._ends: dict[OpenSession, Callable[[], Awaitable[None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def count(self, user_id: int) -> int:
        """The number of open sockets of a reader in this process."""
        return sum(session.user_id == user_id for session in self._ends)

    @contextmanager
    def watch(self, session: OpenSession, end: Callable[[], Awaitable[None]]) -> Iterator[None]:
        self._ends[session] = end
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run())
        try:
            yield
        finally:
            self._ends.pop(session, None)

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
        for session in await in_thread(find_ended, tuple(self._ends)):
            if end := self._ends.pop(session, None):
                await end()


session_watcher = SessionWatcher()
