"""Locks between the processes of one machine. The kernel releases them if the holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def machine_lock(name: str) -> Iterator[bool]:
    """Hold the lock called `name` inside the `with` block. `name` must be a valid file name.

    Yields True, or False without waiting if another thread or process holds the lock.
    """
    file = Path(settings.DATA) / "locks" / name
    file.parent.mkdir(exist_ok=True)
    while True:
        descriptor = os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            yield False
            return
        if _is_at(descriptor, file):
            break
        os.close(descriptor)  # the previous holder removed the file after we opened it
    try:
        yield True
    finally:
        file.unlink(missing_ok=True)  # before unlocking, so that no two files are ever locked
        os.close(descriptor)


def _is_at(descriptor: int, file: Path) -> bool:
    """Return True if `descriptor` is open on the file that has this path now."""
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
