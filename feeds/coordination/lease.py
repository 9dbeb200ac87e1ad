"""Named leases: exclusive rights, stored in the database, that one process at a time holds.

A lease expires, so a process that dies blocks the others only for a limited time. Its token grows
with every claim (a fencing token), so a holder that was too slow finds its own token outdated.
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
from ainews_site.infra.metrics import LEASE_EXPIRIES
from feeds.models import Lease

MAX_DURATION = timedelta(minutes=10)
"""Maximum duration of a lease: far longer than a batch takes, but others must wait for it if the
holder dies."""
_ME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Held:
    """A lease that the caller holds.

    `was_mine` tells whether this process was the last holder too. If so, no other process can have
    written in between.
    """

    def __init__(self, name: str, was_mine: bool, token: int) -> None:
        self.name = name
        self.was_mine = was_mine
        self._token = token

    def renew(self) -> bool:
        """Extend the lease.

        Returns False if another process has taken it over, or if this one has claimed it again.
        Then the caller must not write anymore.
        """
        mine = Lease.objects.filter(name=self.name, token=self._token, holder=me())
        return mine.update(until=db_clock.exact_now() + duration()) == 1


def duration() -> timedelta:
    """Return the duration of a lease."""
    return min(MAX_DURATION, timedelta(seconds=settings.LEASE_SECONDS))


def me() -> str:
    """Return the name of this process as a holder. A fork has a different name."""
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
        token=F("token") + 1, holder=me(), until=now + duration()
    )
    if not claimed:
        yield None
        return
    if row.until is not None and not was_mine:
        LEASE_EXPIRIES.add(1, name)
    try:
        yield Held(name, was_mine, row.token + 1)
    finally:
        mine = Lease.objects.filter(name=name, token=row.token + 1, holder=me())
        mine.update(until=None)
