"""What the queue runs for digests."""

import logging
import time
from datetime import date

from django_q.models import Schedule
from django_q.tasks import async_task

from accounts.models import User
from accounts.zones import zone_named
from digests.ask.questions import answer_question, forget_old_questions
from digests.models import Digest
from digests.summarise import forget_old_summaries
from digests.window import reader_today
from digests.write import write_digest
from feeds import clock
from feeds.tasks import SLOW, ensure_schedule

__all__ = [
    "answer_question",
    "ensure_schedules",
    "forget_old_questions",
    "forget_old_summaries",
    "write_again",
    "write_due_digests",
]

logger = logging.getLogger(__name__)

LONGEST_EDITION = 300.0
"""Seconds for which a model is asked for one edition; what it has not told by then is extracted."""
LONGEST_RUN = 900.0
"""Seconds after which no further edition is begun: the others come ten minutes later."""


def ensure_schedules() -> None:
    """Make the schedules that write digests and drop what is old, once."""
    ensure_schedule(
        "write_due_digests",
        {
            "func": "digests.tasks.write_due_digests",
            "schedule_type": Schedule.MINUTES,
            "minutes": 10,
            "kwargs": repr(SLOW),
        },
    )
    for name in ("forget_old_summaries", "forget_old_questions"):
        ensure_schedule(
            name,
            {
                "func": f"digests.tasks.{name}",
                "schedule_type": Schedule.DAILY,
                "kwargs": repr(SLOW),
            },
        )


def answer_soon(question_id: int) -> bool:
    """Have the worker ask the language model; whether the queue took it."""
    try:
        async_task("digests.tasks.answer_question", question_id, **SLOW)
    except Exception:  # whatever ails the broker, the sources' own words are there
        logger.exception("The queue did not take the question.")
        return False
    return True


def write_soon(user: User, day: date) -> None:
    """Have the worker write an edition again, with the language model."""
    try:
        async_task("digests.tasks.write_again", user.pk, day.isoformat(), **SLOW)
    except Exception:  # whatever ails the broker, the edition is there without it
        logger.exception("The queue did not take the edition that is to be written again.")


def write_again(user_id: int, day: str) -> None:
    """An edition that a page wrote while the reader waited, now with the language model."""
    reader = User.objects.filter(pk=user_id, is_active=True).first()
    if reader is not None:
        write_digest(reader, date.fromisoformat(day), seconds_for_model=LONGEST_EDITION)


def write_due_digests() -> int:
    """Write today's edition of every reader whose hour has come and who has none yet, or
    had one before there was any news."""
    now = clock.now()
    written, until = 0, time.monotonic() + LONGEST_RUN
    for reader in User.objects.filter(is_active=True, subscriptions__isnull=False).distinct():
        day = reader_today(reader.time_zone, now)
        if now.astimezone(zone_named(reader.time_zone)).hour < reader.digest_hour:
            continue
        written_today = Digest.objects.filter(user=reader, date=day).first()
        if written_today is None or not written_today.content["stories"]:
            write_digest(reader, day, now=now, seconds_for_model=LONGEST_EDITION)
            written += 1
            if time.monotonic() > until:
                break
    return written
