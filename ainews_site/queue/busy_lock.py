"""Detects whether a worker is running a task, using an flock that the kernel releases if it dies.

A cluster that lost a process may never end by itself. Without this lock the supervisor would have
to wait for the longest possible task before it kills such a cluster.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django_q.signals import post_execute_in_worker, pre_execute

VARIABLE = "AINEWS_IN_HAND"
"""The environment variable that names the lock file to the processes of a cluster."""
_descriptors: list[int] = []


def lock_file(name: str) -> Path:
    """Create the lock file of a cluster. `name` distinguishes the clusters of this process."""
    file = Path(settings.DATA) / "queue" / f"{name}.{os.getpid()}.in_hand"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    return file


def connect() -> None:
    """Let each process of a cluster hold the lock while it runs a task."""
    pre_execute.connect(_acquire, dispatch_uid="in_hand")
    post_execute_in_worker.connect(_release, dispatch_uid="in_hand")


def _acquire(**_: Any) -> None:
    if file := os.environ.get(VARIABLE):
        descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _descriptors.append(descriptor)


def _release(**_: Any) -> None:
    while _descriptors:
        os.close(_descriptors.pop())


def is_busy(file: Path) -> bool:
    """Return True if any process of the cluster runs a task now."""
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


class IdleTimer:
    """Measures for how long a cluster has run no task. Start it before the first call."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._since = time.monotonic()

    def seconds(self) -> float:
        """Return the seconds since a call last saw a running task. Call it often."""
        if is_busy(self._file):
            self._since = time.monotonic()
        return time.monotonic() - self._since
