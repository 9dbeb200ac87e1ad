"""The right to group, which one process holds at a time."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.db.models import F, Q
from django.utils import timezone

from feeds.models import Lease

NAME = "group"
LASTS = timedelta(minutes=10)
"""Far longer than a batch; a process that dies delays grouping by so much."""
_ME = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"


class Held:
    """What a holder knows: whether it held the lease the last time too, and how to keep it."""

    def __init__(self, was_mine: bool, token: int) -> None:
        self.was_mine = was_mine
        self._token = token

    def renew(self) -> bool:
        """Hold on; False when somebody took over, whose work must not be overwritten."""
        mine = Lease.objects.filter(name=NAME, token=self._token, holder=me())
        return mine.update(until=timezone.now() + LASTS) == 1


def me() -> str:
    """This process; a fork is another one."""
    return f"{_ME}:{os.getpid()}"


@contextmanager
def grouping_lease() -> Iterator[Held | None]:
    """The lease, or None while another process holds it."""
    now = timezone.now()
    lease, _ = Lease.objects.get_or_create(name=NAME)
    was_mine = lease.holder == me()
    free = Q(until__isnull=True) | Q(until__lt=now) | Q(holder=me())
    claimed = Lease.objects.filter(free, name=NAME, token=lease.token).update(
        token=F("token") + 1, holder=me(), until=now + LASTS
    )
    if not claimed:
        yield None
        return
    try:
        yield Held(was_mine, lease.token + 1)
    finally:
        mine = Lease.objects.filter(name=NAME, token=lease.token + 1, holder=me())
        mine.update(until=None)


def forget_state() -> None:
    """Somebody changed stories: whoever grouped last must read them anew."""
    Lease.objects.filter(name=NAME).update(holder="", token=F("token") + 1)
