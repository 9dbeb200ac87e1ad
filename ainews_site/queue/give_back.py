"""Gives tasks back that a stopping cluster does not finish: their messages are queued again.

django-q2 runs each task in the context of a TimeoutHandler. This module replaces it by one that
starts no task after a stop was requested, and that SIGTERM can interrupt. A message is queued again
as a new one, and the old one is acknowledged, because a message that is not acknowledged is handed
out again only after an hour. `tests/ainews_site/queue/test_give_back.py` fails if a release of
django-q2 changes what this relies on.
"""

import logging
import signal
from collections.abc import Callable
from typing import Any

import django_q.worker
from django_q.brokers import get_broker
from django_q.signals import post_execute_in_worker
from django_q.signing import SignedPackage
from django_q.timeout import TimeoutHandler

from ainews_site.infra.stopping import TaskStopped, is_stopping, take_rest
from ainews_site.queue.config import FAST

OF_A_RUN = ("result", "success", "stopped", "ack_id")
"""What a run adds to a task."""
_is_running = False
_is_given_back = False

logger = logging.getLogger(__name__)


class GivenBackError(Exception):
    """The task was not run to its end, and is queued again."""


class StoppableTask(TimeoutHandler):  # type: ignore[misc]
    """The context of a task, which ends it with GivenBackError when the cluster stops."""

    def __enter__(self) -> None:
        global _is_running
        take_rest()  # what an earlier task left
        if is_stopping():
            self._give_back()
        super().__enter__()
        _is_running = True

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        global _is_running
        _is_running = False
        super().__exit__(kind, error, trace)
        if isinstance(error, TaskStopped) or (error is None and take_rest()):
            self._give_back()

    def _give_back(self) -> None:
        global _is_given_back
        _is_given_back = True
        raise GivenBackError("The worker stopped. The task is queued again.")


def connect() -> None:
    """Let the processes of a cluster give tasks back. Call it once, when Django starts."""
    django_q.worker.TimeoutHandler = StoppableTask
    post_execute_in_worker.connect(_queue_again, dispatch_uid="give_back")


def expect_interrupt() -> None:
    """Let SIGTERM interrupt the running task of this process. Without one it has no effect."""
    signal.signal(signal.SIGTERM, _interrupt)


def _interrupt(number: int, frame: Any) -> None:
    global _is_running
    if _is_running:
        _is_running = False  # a repeated signal must not interrupt what gives leases back
        raise TaskStopped


def _queue_again(task: dict[str, Any], func: Callable[..., Any] | None = None, **_: Any) -> None:
    global _is_given_back
    if not _is_given_back:
        return
    _is_given_back = False
    message = {key: value for key, value in task.items() if key not in OF_A_RUN}
    try:
        get_broker(task.get("cluster") or FAST).enqueue(SignedPackage.dumps(message))
    except Exception as error:  # noqa: BLE001 - the message is handed out again when its lock expires
        logger.warning("task_not_given_back name=%s reason=%s", task.get("name"), error)
        return
    task["success"], task["result"] = True, None  # acknowledges the old message
