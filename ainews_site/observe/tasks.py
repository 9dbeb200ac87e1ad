"""Gives tasks of the queue the id of the request that queued them, and logs how each task ended.

The id travels in the message, whatever the broker. A message of an earlier release has none.
"""

import logging
import time
from typing import Any

import django_q.worker
from django_q.signals import post_execute_in_worker, pre_enqueue, pre_execute
from django_q.utils import get_func_repr

from ainews_site.observe import tracing
from ainews_site.observe.context import is_valid, request_id, task_id
from ainews_site.observe.redact import redact

KEY, TRACE = "request_id", "traceparent"
"""Names in the message."""

logger = logging.getLogger("ainews.tasks")
_began = 0.0


class TaskFailures:
    """Logs the exception of a task, in the place of django-q2's reporter of errors.

    django-q2 itself hands on the text alone, and logs it in another process.
    """

    def report(self) -> None:
        logger.exception("task_failed")


def connect() -> None:
    """Register the signal handlers. Call it once, when Django starts."""
    pre_enqueue.connect(_add_ids, dispatch_uid="observe")
    pre_execute.connect(_begin, dispatch_uid="observe")
    post_execute_in_worker.connect(_end, dispatch_uid="observe")
    django_q.worker.error_reporter = TaskFailures()


def _add_ids(*, task: dict[str, Any], **_: Any) -> None:
    if cause := request_id.get():
        task[KEY] = cause
    if parent := tracing.traceparent():
        task[TRACE] = parent


def _begin(*, func: Any, task: dict[str, Any], **_: Any) -> None:
    global _began
    _began = time.perf_counter()
    cause = task.get(KEY)
    request_id.set(cause if is_valid(cause) else "")
    task_id.set(str(task.get("id", "")))
    tracing.begin_task(_name(task), str(task.get(TRACE) or ""))


def _end(*, func: Any, task: dict[str, Any], **_: Any) -> None:
    """Log the end of a task. What is stored of a failure has no secrets."""
    if not task.get("success", False) and isinstance(task.get("result"), str):
        task["result"] = redact(task["result"])
    seconds = time.perf_counter() - _began
    is_success = bool(task.get("success", False))
    logger.info("task func=%s success=%s ms=%s", _name(task), is_success, round(seconds * 1000))
    tracing.end_task(is_success=is_success)
    request_id.set("")
    task_id.set("")


def _name(task: dict[str, Any]) -> str:
    return str(get_func_repr(task.get("func", "")))
