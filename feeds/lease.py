"""Rights that one process holds at a time."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.conf import settings
from django.db.models import F, Q

from feeds import clock
from feeds.models import Lease

LONGEST = timedelta(minutes=10)
"""Far longer than a batch; a process that dies delays the next one by so much."""
_ME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Held:
    """What a holder knows: whether it held the lease the last time too, and how to keep it."""

    def __init__(self, name: str, was_mine: bool, token: int) -> None:
        self.name = name
        self.was_mine = was_mine
        self._token = token

    def renew(self) -> bool:
        """Hold on; False when somebody took over, whose work must not be overwritten."""
        mine = Lease.objects.filter(name=self.name, token=self._token, holder=me())
        return mine.update(until=clock.ask() + lasts()) == 1


def lasts() -> timedelta:
    return min(LONGEST, timedelta(seconds=settings.LEASE_SECONDS))


def me() -> str:
    """This process; a fork is another one."""
    return f"{_ME}:{os.getpid()}"


@contextmanager
def lease(name: str) -> Iterator[Held | None]:
    """The lease of that name, or None while another process holds it."""
    now = clock.ask()
    found, _ = Lease.objects.get_or_create(name=name)
    was_mine = found.holder == me()
    free = Q(until__isnull=True) | Q(until__lt=now) | Q(holder=me())
    free |= Q(until__gt=now + clock.FURTHEST)
    claimed = Lease.objects.filter(free, name=name, token=found.token).update(
        token=F("token") + 1, holder=me(), until=now + lasts()
    )
    if not claimed:
        yield None
        return
    try:
        yield Held(name, was_mine, found.token + 1)
    finally:
        mine = Lease.objects.filter(name=name, token=found.token + 1, holder=me())
        mine.update(until=None)
