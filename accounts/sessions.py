"""The session engine: Django's sessions in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError


class SessionStore(db.SessionStore):
    """Django's store, but a failed write raises OperationalError.

    Django raises UpdateError for it, as for a session that was deleted, and then answers 400.
    """

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
