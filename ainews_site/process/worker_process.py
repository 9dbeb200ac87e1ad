"""What differs in the processes of a cluster that run tasks."""

from typing import Any

from django_q.signals import post_spawn

from ainews_site.infra.sqlite_lock import set_process_timeout

LOCK_TIMEOUT = 300.0
"""Seconds that a task waits for SQLite's write lock: nobody waits for it, and what it has fetched
or computed would be lost. Less than any task may last."""


def connect() -> None:
    post_spawn.connect(_begin, dispatch_uid="worker_process")


def _begin(**_: Any) -> None:
    set_process_timeout(LOCK_TIMEOUT)
