"""The session engine: Django's sessions in the database, read together with their users."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError
from django.utils import timezone

from accounts.models import User
from ainews_site.infra.process_state import resets_process_state

MAX_OWNERS = 20_000

_owners: dict[str, str] = {}
"""{session key: id of its user} of sessions that this process has read. It only says which row to
join: the rows themselves are read for each request."""
resets_process_state(_owners.clear)

_JOINED = (
    "SELECT u.*, s.session_data AS session_data FROM django_session s"
    " JOIN accounts_user u ON u.id = %s WHERE s.session_key = %s AND s.expire_date > %s"
)


class SessionStore(db.SessionStore):
    """Django's store, but `load` also reads the user, and a failed write raises OperationalError.

    Django raises UpdateError for it, as for a session that was deleted, and then answers 400.
    """

    user: User | None = None
    """The user that the session was read with, if any. Whether they may use the site, and whether
    the session is theirs still, is checked by accounts.middleware."""

    def load(self) -> dict[str, Any]:
        key = self.session_key
        data = self._load_joined(key) if key in _owners else None
        if data is None:
            data = super().load()
        if key and (owner := data.get(SESSION_KEY)):
            if len(_owners) >= MAX_OWNERS:
                _owners.clear()
            _owners[key] = owner
        return data

    def _load_joined(self, key: str | None) -> dict[str, Any] | None:
        """Read the session and its user by one query. Returns None if either is missing."""
        owner = _owners[key or ""]
        moment = timezone.now()
        user: Any = next(iter(User.objects.raw(_JOINED, [int(owner), key, moment])), None)
        if user is None:
            return None
        data = dict(self.decode(user.__dict__.pop("session_data")))
        if data.get(SESSION_KEY) == owner:
            self.user = user
        return data

    def save(self, must_create: bool = False) -> None:
        with _raising_operational_error():
            super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        with _raising_operational_error():
            await super().asave(must_create)


@contextmanager
def _raising_operational_error() -> Iterator[None]:
    try:
        yield
    except UpdateError as error:
        if isinstance(error.__context__, OperationalError):
            raise error.__context__ from error.__context__.__cause__
        raise
