"""Whether a worker has a task in hand, said by a lock that the kernel opens when it dies.

A cluster that lost a process may never end by itself. Whoever stops it would have to wait
for as long as a task may last, if it could not see that none is being done.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Any

from django.conf import settings
from django_q.signals import post_execute_in_worker, pre_execute

VARIABLE = "AINEWS_IN_HAND"
_held: list[int] = []


def lock_file(name: str) -> Path:
    """Of one cluster, named by whoever starts it."""
    file = Path(settings.DATA) / "queue" / f"{name}.{os.getpid()}.in_hand"
    file.parent.mkdir(exist_ok=True)
    file.touch()
    return file


def connect() -> None:
    """Let each process of a cluster hold the lock while it does a task."""
    pre_execute.connect(_take, dispatch_uid="in_hand")
    post_execute_in_worker.connect(_let_go, dispatch_uid="in_hand")


def _take(**_: Any) -> None:
    if file := os.environ.get(VARIABLE):
        descriptor = os.open(file, os.O_RDONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        _held.append(descriptor)


def _let_go(**_: Any) -> None:
    while _held:
        os.close(_held.pop())


def is_busy(file: Path) -> bool:
    """Whether any process does a task now."""
    try:
        with file.open("rb") as opened:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False
    return False


class Quiet:
    """How long nothing has been in hand."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._since = time.monotonic()

    def seconds(self) -> float:
        if is_busy(self._file):
            self._since = time.monotonic()
        return time.monotonic() - self._since
