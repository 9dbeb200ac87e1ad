"""Queue tasks of digests: they write the editions that are due and deliver them.

The database rows are the work list. A queue message only makes a task start earlier.
"""

import time

from ainews_site.infra import db_clock
from ainews_site.infra.stopping import is_stopping, leave_rest
from digests.ask.questions import answer_question, forget_old_questions
from digests.channels.outbox import deliver, due_deliveries
from digests.editions.summarise import forget_old_summaries
from digests.editions.writing import process_writings, request_due, waiting_writings

__all__ = [
    "answer_question",
    "deliver_digests",
    "forget_old_questions",
    "forget_old_summaries",
    "write_due_digests",
    "write_waiting",
]

LONGEST = 900.0
"""Seconds that one task may run, less than the queue's timeout. Unfinished rows stay due."""


def write_due_digests() -> int:
    """Write the editions that are due, and retry those that failed. Return how many it wrote."""
    request_due(db_clock.now())
    return write_waiting()


def write_waiting() -> int:
    """Write the editions that are requested and deliver them. Return how many were written."""
    until, written = time.monotonic() + LONGEST, 0
    for pks in waiting_writings():
        if is_stopping():
            leave_rest()
            break
        if time.monotonic() < until:
            written += process_writings(pks)
    if written:
        deliver_digests()
    return written


def deliver_digests() -> int:
    """Send the deliveries that are due. Return how many succeeded."""
    return deliver(due_deliveries(), LONGEST)
