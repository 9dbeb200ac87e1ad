"""What whoever watches the workers of a machine does each minute."""

import time
from datetime import timedelta

from django.db import Error, connection
from django.utils import timezone
from django_q.models import Schedule

from ainews_site.infra import db_clock
from ainews_site.infra.console import report

PERIOD = 60.0


class Upkeep:
    """Says when the clock is wrong, once as long as it is, and puts right what that has done."""

    def __init__(self) -> None:
        self._next = 0.0
        self._has_complained = False

    def look(self) -> None:
        if time.monotonic() < self._next:
            return
        self._next = time.monotonic() + PERIOD
        try:
            problem = db_clock.problem()
            mend_schedules()
        except Error:  # the database is away: its clock can wait
            return
        finally:
            connection.close()  # rather than kept for the next minute
        if problem and not self._has_complained:
            report(problem)
        self._has_complained = bool(problem)


def mend_schedules() -> None:
    """Schedules of minutes that lie further ahead than their minutes are due now.

    The queue's scheduler goes by its machine's clock: one that was an hour ahead has put them
    off for an hour, and one that is behind would wait for so long.
    """
    now = timezone.now()
    for schedule in Schedule.objects.filter(schedule_type=Schedule.MINUTES, next_run__gt=now):
        if schedule.next_run > now + timedelta(minutes=(schedule.minutes or 0) + 1):
            Schedule.objects.filter(pk=schedule.pk, next_run=schedule.next_run).update(next_run=now)
