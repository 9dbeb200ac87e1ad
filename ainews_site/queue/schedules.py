"""What the platform asks of its queue."""

from typing import Any

from django.db import connection, transaction
from django_q.brokers import Broker
from django_q.status import Stat

import digests.tasks
import feeds.tasks
from feeds.models import Lease


def cluster_stats() -> list[Any]:
    """One record a running cluster: pid, workers (pids), status. Read from the cache alone, as the
    database may be away or locked."""
    return list(Stat.get_all(Broker()))


@transaction.atomic
def ensure_schedules() -> None:
    """Make all schedules, once. Two workers that start together must not make them twice, as
    their names are not unique."""
    lease, _ = Lease.objects.get_or_create(name="schedules")
    if connection.features.has_select_for_update:
        Lease.objects.select_for_update().get(pk=lease.pk)
    feeds.tasks.ensure_schedules()
    digests.tasks.ensure_schedules()
