"""What the queue runs for digests: editions are written when due, and leave by their channels.

The rows hold what is to be done; a message is a hint.
"""

import time
from typing import Any

from django_q.models import Schedule

from ainews_site.infra import db_clock
from ainews_site.infra.enqueue import SLOW
from digests.ask.questions import answer_question, forget_old_questions
from digests.channels.outbox import deliver, due_deliveries
from digests.editions.summarise import forget_old_summaries
from digests.editions.writing import ask_for_due, waiting_writings, work_off
from feeds.tasks import ensure_schedule

__all__ = [
    "answer_question",
    "deliver_digests",
    "ensure_schedules",
    "forget_old_questions",
    "forget_old_summaries",
    "write_due_digests",
    "write_waiting",
]

LONGEST = 900.0
"""Seconds of one task, within the queue's time-out; what is left stays due."""


def ensure_schedules() -> None:
    """Make the schedules that write digests, send them, and drop what is old, once."""
    wanted: dict[str, dict[str, Any]] = {
        "write_due_digests": {"schedule_type": Schedule.MINUTES, "minutes": 5},
        "deliver_digests": {"schedule_type": Schedule.MINUTES, "minutes": 1},
        "forget_old_questions": {"schedule_type": Schedule.DAILY},
        "forget_old_summaries": {"schedule_type": Schedule.DAILY},
    }
    for name, when in wanted.items():
        ensure_schedule(name, {"func": f"digests.tasks.{name}", "kwargs": repr(SLOW)} | when)


def write_due_digests() -> int:
    """Write the editions whose hour has come, and those that are tried again; how many."""
    ask_for_due(db_clock.now())
    return write_waiting()


def write_waiting() -> int:
    """Write what waits to be written, and send it on its way; how many."""
    until, written = time.monotonic() + LONGEST, 0
    for pk in waiting_writings():
        if time.monotonic() < until:
            written += work_off(pk)
    if written:
        deliver_digests()
    return written


def deliver_digests() -> int:
    """Send what waits to leave; how many arrived."""
    return deliver(due_deliveries(), LONGEST)
