"""Leases of sources, so that only one worker at a time polls each source.

A claim sets a lease with a fencing token in the row of the source. If a worker is so slow that its
lease ran out and another worker claimed the source, it finds a greater token and writes nothing.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F

from ainews_site.infra.metrics import LEASE_EXPIRIES
from feeds.models import Source


def lease() -> timedelta:
    """Return how long a claim lasts, and so how long the sources of a killed worker must wait."""
    return timedelta(seconds=settings.LEASE_SECONDS)


@transaction.atomic
def claim(source_ids: Iterable[int], now: datetime) -> list[Source]:
    """Claim those of `source_ids` that no worker holds, and return them."""
    free = Source.objects.free(now).filter(pk__in=list(source_ids)).order_by("pk")
    if connection.features.has_select_for_update_skip_locked:
        free = free.select_for_update(skip_locked=True)
    sources = list(free)
    LEASE_EXPIRIES.add(sum(source.lease_until is not None for source in sources), "source")
    until = now + lease()
    Source.objects.filter(pk__in=[source.pk for source in sources]).update(
        lease_until=until, lease_token=F("lease_token") + 1
    )
    for source in sources:
        source.lease_until, source.lease_token = until, source.lease_token + 1
    return sources


def renew(sources: Sequence[Source], now: datetime) -> None:
    """Extend the leases of sources that are still to be polled."""
    for source in sources:
        held = Source.objects.filter(pk=source.pk, lease_token=source.lease_token)
        held.update(lease_until=now + lease())


def is_held(source: Source) -> bool:
    """Return True if no other worker has claimed the source since."""
    return Source.objects.filter(pk=source.pk, lease_token=source.lease_token).exists()


def release(sources: Iterable[Source]) -> None:
    """End the leases of sources that were not polled, so that they are due at once."""
    for source in sources:
        held = Source.objects.filter(pk=source.pk, lease_token=source.lease_token)
        held.update(lease_until=None)
