"""Checks clock and release of this machine each minute, and repairs postponed schedules."""

import time
from datetime import timedelta

from django.db import Error, connection
from django.utils import timezone
from django_q.models import Schedule

from ainews_site.infra import db_clock
from ainews_site.infra.console import report
from ainews_site.infra.releases import older_warning

PERIOD = 60.0


class ClockCheck:
    """The check that the supervisor and the `worker` command run between other work."""

    def __init__(self) -> None:
        self._next = 0.0
        self._reported: list[str] = []

    def run_if_due(self) -> None:
        """Run the check if the last one was a minute ago. A problem is reported once."""
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD
        try:
            problems = [db_clock.problem(), older_warning()]
            repair_schedules()
        except Error:  # the database is down; the next check will do
            return
        finally:
            connection.close()  # do not keep it open until the next check
        for problem in filter(None, problems):
            if problem not in self._reported:
                report(problem)
        self._reported = problems


def repair_schedules() -> None:
    """Make schedules due now whose next run lies further ahead than their interval.

    The scheduler uses the clock of its machine. If that was an hour ahead, it has postponed the
    schedules for an hour.
    """
    now = timezone.now()
    for schedule in Schedule.objects.filter(schedule_type=Schedule.MINUTES, next_run__gt=now):
        if schedule.next_run > now + timedelta(minutes=(schedule.minutes or 0) + 1):
            Schedule.objects.filter(pk=schedule.pk, next_run=schedule.next_run).update(next_run=now)
