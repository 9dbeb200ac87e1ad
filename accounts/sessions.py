"""Sessions in the database."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.contrib.sessions.backends import db
from django.contrib.sessions.backends.base import UpdateError
from django.db import OperationalError


class SessionStore(db.SessionStore):
    """Django's own store, except that a session which could not be written is not taken for one
    that was deleted: Django raises UpdateError for both, and answers 400."""

    def save(self, must_create: bool = False) -> None:
        with _telling_apart():
            super().save(must_create)

    async def asave(self, must_create: bool = False) -> None:
        with _telling_apart():
            await super().asave(must_create)


@contextmanager
def _telling_apart() -> Iterator[None]:
    try:
        yield
    except UpdateError as error:
        if isinstance(error.__context__, OperationalError):
            raise error.__context__ from error.__context__.__cause__
        raise
