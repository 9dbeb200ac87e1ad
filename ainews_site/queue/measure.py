"""Counts the tasks of the queue by name and outcome."""

import time
from collections.abc import Callable
from typing import Any

from django_q.signals import post_execute_in_worker, pre_execute

from ainews_site.infra.metrics import OTHER, TASK_SECONDS, TASKS

OURS = ("feeds.tasks", "digests.tasks")
"""Modules of tasks that are counted by name."""

_started = 0.0


def connect() -> None:
    """Count the tasks that this process and its forks run."""
    pre_execute.connect(_start, dispatch_uid="measure_start")
    post_execute_in_worker.connect(_count, dispatch_uid="measure_count")


def _start(**_: Any) -> None:
    global _started
    _started = time.monotonic()


def _count(func: Callable[..., Any] | None, task: dict[str, Any], **_: Any) -> None:
    name = task_name(func)
    TASKS.add(1, name, "ok" if task.get("success") else "failed")
    TASK_SECONDS.add(time.monotonic() - _started, name)


def task_name(func: Callable[..., Any] | None) -> str:
    """Return the name of a task of ours, else "other". Functions may be defined elsewhere."""
    name = getattr(func, "__name__", "")
    module = getattr(func, "__module__", "").partition(".")[0]
    return name if name and module in {ours.partition(".")[0] for ours in OURS} else OTHER
