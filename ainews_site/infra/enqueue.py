"""Put a task on the queue from code that the tasks themselves import."""

import logging
from typing import Any

from django_q.tasks import async_task

logger = logging.getLogger(__name__)

SLOW = {"q_options": {"cluster": "slow"}}
"""Options of a task that takes long: a queue of its own, so that it never delays a poll."""


def enqueue_slow(task: str, *arguments: Any) -> bool:
    """Put `task`, a dotted name, on the slow queue.

    Returns False, with the reason in the log, when the broker did not take it. The row that
    holds the work is found by the next scheduled task all the same.
    """
    try:
        async_task(task, *arguments, **SLOW)
    except Exception:  # whatever is wrong with the broker, the row waits for the schedule
        logger.exception("enqueue_failed task=%s", task)
        return False
    return True
