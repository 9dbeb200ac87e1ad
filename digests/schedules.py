"""The schedules of the tasks of digests, apart from them as those of feeds are."""

from typing import Any

from django_q.models import Schedule

from ainews_site.infra.enqueue import SLOW
from feeds.schedules import ensure_schedule


def ensure_schedules() -> None:
    """Create the schedules that write, deliver and clean up, unless they exist."""
    wanted: dict[str, dict[str, Any]] = {
        "write_due_digests": {"schedule_type": Schedule.MINUTES, "minutes": 5},
        "deliver_digests": {"schedule_type": Schedule.MINUTES, "minutes": 1},
        "forget_old_questions": {"schedule_type": Schedule.DAILY},
        "forget_old_summaries": {"schedule_type": Schedule.DAILY},
    }
    for name, when in wanted.items():
        ensure_schedule(name, {"func": f"digests.tasks.{name}", "kwargs": repr(SLOW)} | when)
