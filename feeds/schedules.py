"""The schedules of the tasks of feeds.

They are apart from the tasks, because the process that creates them needs none of their modules: it
runs as long as AI News, and would be half as large again.
"""

from typing import Any

from django_q.models import Schedule

from ainews_site.infra.enqueue import SLOW


def ensure_schedules() -> None:
    """Create the schedules of this app. Changes that an administrator made stay."""
    wanted: dict[str, dict[str, Any]] = {
        "poll_due": {"schedule_type": Schedule.MINUTES, "minutes": 1},
        "repair_stories": {"schedule_type": Schedule.HOURLY, "kwargs": repr(SLOW)},
        "update_trends": {"schedule_type": Schedule.HOURLY, "kwargs": repr(SLOW)},
        "drop_old_rows": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
        "make_partitions": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
        "archive_old_months": {"schedule_type": Schedule.DAILY, "kwargs": repr(SLOW)},
    }
    for name, when in wanted.items():
        ensure_schedule(name, {"func": f"feeds.tasks.{name}"} | when)


def ensure_schedule(name: str, wanted: dict[str, Any]) -> None:
    """Create a schedule if it is missing.

    A schedule of an old release gets the name of its queue.
    """
    schedule, _ = Schedule.objects.get_or_create(name=name, defaults=wanted)
    if not schedule.kwargs and wanted.get("kwargs"):
        Schedule.objects.filter(pk=schedule.pk).update(kwargs=wanted["kwargs"])
