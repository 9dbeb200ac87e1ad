"""Configures the processes of a django-q2 cluster that run tasks."""

from typing import Any

from django_q.signals import post_spawn

from ainews_site.infra.gc_tuning import freeze_loaded_objects
from ainews_site.infra.sqlite_lock import set_process_timeout
from ainews_site.queue.give_back import expect_interrupt

LOCK_TIMEOUT = 300.0
"""How long a task waits for SQLite's write lock, in seconds.

No reader waits for a task, and giving up would lose what it has fetched or computed. This must be
less than the time-out of any task.
"""


def connect() -> None:
    """Register the signal handler. Call it once, when Django starts."""
    post_spawn.connect(_configure, dispatch_uid="worker_process")


def _configure(**_: Any) -> None:
    set_process_timeout(LOCK_TIMEOUT)
    expect_interrupt()
    freeze_loaded_objects()
