"""What the queue runs for digests: editions are written when due, and leave by their channels.

The rows hold what is to be done; a message is a hint.
"""

import logging
import time
from datetime import date
from typing import Any

from django_q.models import Schedule
from django_q.tasks import async_task

from accounts.models import User
from ainews_site.infra import db_clock
from digests.ask.questions import answer_question, forget_old_questions
from digests.channels.outbox import deliver, due_deliveries
from digests.editions.summarise import forget_old_summaries
from digests.editions.writing import ask_for, ask_for_due, waiting_writings, work_off
from feeds.tasks import SLOW, ensure_schedule

__all__ = [
    "answer_question",
    "deliver_digests",
    "ensure_schedules",
    "forget_old_questions",
    "forget_old_summaries",
    "request_digest",
    "write_due_digests",
    "write_waiting",
]

logger = logging.getLogger(__name__)

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


def answer_soon(question_id: int) -> bool:
    """Have the worker ask the language model; whether the queue took it."""
    try:
        async_task("digests.tasks.answer_question", question_id, **SLOW)
    except Exception:  # whatever ails the broker, the sources' own words are there
        logger.exception("The queue did not take the question.")
        return False
    return True


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


def request_digest(user: User | None, day: date) -> None:
    """Have an edition written now, by a worker."""
    ask_for(user, day)
    try:
        async_task("digests.tasks.write_waiting", **SLOW)
    except Exception:  # whatever ails the broker, the row is found five minutes later
        logger.exception("The queue did not take the edition that is to be written.")
