"""Claim sources so that one worker polls each at a time, whatever dies.

A claim is a row's lease with a fencing token: the worker that comes late, after its
lease ran out and another took over, finds a greater token and writes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from feeds.models import Source


def lease() -> timedelta:
    """How long a claim lasts: so much later others poll what a killed worker held."""
    return timedelta(seconds=settings.LEASE_SECONDS)


@transaction.atomic
def claim(source_ids: Iterable[int], now: datetime) -> list[Source]:
    """The sources among `source_ids` that nobody holds, now held by the caller."""
    free = Source.objects.free(now).filter(pk__in=list(source_ids)).order_by("pk")
    if connection.features.has_select_for_update_skip_locked:
        free = free.select_for_update(skip_locked=True)
    sources = list(free)
    until = now + lease()
    Source.objects.filter(pk__in=[source.pk for source in sources]).update(
        lease_until=until, lease_token=F("lease_token") + 1
    )
    for source in sources:
        source.lease_until, source.lease_token = until, source.lease_token + 1
    return sources


def renew(sources: Sequence[Source], now: datetime) -> None:
    """Hold on to sources whose turn has not come yet."""
    for source in sources:
        held = Source.objects.filter(pk=source.pk, lease_token=source.lease_token)
        held.update(lease_until=now + lease())


def is_held(source: Source) -> bool:
    """Whether no one has claimed the source since."""
    return Source.objects.filter(pk=source.pk, lease_token=source.lease_token).exists()


def give_back(sources: Iterable[Source]) -> None:
    """Let go of sources that were not polled, so that they are due at once."""
    for source in sources:
        held = Source.objects.filter(pk=source.pk, lease_token=source.lease_token)
        held.update(lease_until=None)
