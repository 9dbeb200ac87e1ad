"""Put a task on the queue from code that the tasks themselves import."""

import logging
from typing import Any

from django_q.tasks import async_task

logger = logging.getLogger(__name__)

SLOW = {"q_options": {"cluster": "slow"}}
"""Options of a long task. It goes to the slow queue, so that it never delays a poll."""


def enqueue_slow(task: str, *arguments: Any) -> bool:
    """Put `task`, a dotted name, on the slow queue.

    Returns False, with the reason in the log, when the broker did not take it. The row that
    describes the work stays, and the next scheduled task finds it.
    """
    return _enqueue(task, *arguments, **SLOW)


def enqueue_fast(task: str, *arguments: Any) -> bool:
    """Put `task` on the fast queue, to do at once what a schedule does within a minute."""
    return _enqueue(task, *arguments)


def _enqueue(task: str, *arguments: Any, **options: Any) -> bool:
    try:
        async_task(task, *arguments, **options)
    except Exception:  # whatever the error, the next scheduled task finds the row
        logger.exception("enqueue_failed task=%s", task)
        return False
    return True
