"""What the platform asks of its queue."""

from typing import Any

from django_q.status import Stat


def cluster_stats() -> list[Any]:
    """One record a running cluster: pid, workers (pids), status."""
    return list(Stat.get_all())
