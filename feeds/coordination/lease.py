"""Named leases: exclusive rights that one process at a time holds, kept as rows of the database.

A lease runs out by itself, so a process that dies blocks the others for a limited time. Its token
grows with every claim: a holder that was too slow finds that its token is outdated.
"""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q

from ainews_site.infra import db_clock
from feeds.models import Lease

LONGEST = timedelta(minutes=10)
"""Longest time that a lease lasts. It is far longer than a batch takes; after a process died, the
next holder waits for so long at most."""
_ME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Held:
    """A lease as its holder sees it. `was_mine` tells whether the same process held it before,
    so that no other process can have written meanwhile."""

    def __init__(self, name: str, was_mine: bool, token: int) -> None:
        self.name = name
        self.was_mine = was_mine
        self._token = token

    def renew(self) -> bool:
        """Extend the lease. Returns False if another process has taken it over; then the caller
        must write nothing more."""
        mine = Lease.objects.filter(name=self.name, token=self._token, holder=me())
        return mine.update(until=db_clock.exact_now() + lasts()) == 1


def lasts() -> timedelta:
    return min(LONGEST, timedelta(seconds=settings.LEASE_SECONDS))


def me() -> str:
    """Return the name of this process as a holder. A forked process has a name of its own."""
    return f"{_ME}:{os.getpid()}"


@contextmanager
def lease(name: str) -> Iterator[Held | None]:
    """Hold the lease `name` for the duration of the `with` block.

    Yields None if another process holds it.
    """
    now = db_clock.exact_now()
    row, _ = Lease.objects.get_or_create(name=name)
    was_mine = row.holder == me()
    free = Q(until__isnull=True) | Q(until__lt=now) | Q(holder=me())
    free |= Q(until__gt=now + db_clock.FURTHEST)
    claimed = Lease.objects.filter(free, name=name, token=row.token).update(
        token=F("token") + 1, holder=me(), until=now + lasts()
    )
    if not claimed:
        yield None
        return
    try:
        yield Held(name, was_mine, row.token + 1)
    finally:
        mine = Lease.objects.filter(name=name, token=row.token + 1, holder=me())
        mine.update(until=None)
