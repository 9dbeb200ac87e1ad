"""The recurring tasks of all apps, and the state of the clusters that run them."""

from typing import Any

from django.db import connection, transaction
from django_q.brokers import Broker
from django_q.status import Stat

import digests.schedules
import feeds.schedules
from feeds.models import Lease


def cluster_stats() -> list[Any]:
    """Return a record of each running cluster, with `pid`, `workers` (pids) and `status`.

    They are read from the cache alone, because the database may be down or locked.
    """
    return list(Stat.get_all(Broker()))


@transaction.atomic
def ensure_schedules() -> None:
    """Create the schedules that are missing.

    The lock keeps two workers that start together from creating them twice, because the names of
    schedules are not unique.
    """
    lease, _ = Lease.objects.get_or_create(name="schedules")
    if connection.features.has_select_for_update:
        Lease.objects.select_for_update().get(pk=lease.pk)
    feeds.schedules.ensure_schedules()
    digests.schedules.ensure_schedules()
