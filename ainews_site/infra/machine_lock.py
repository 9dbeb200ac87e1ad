"""Locks that all processes of this machine share, and that end with the process that holds them."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings


@contextmanager
def machine_lock(name: str) -> Iterator[bool]:
    """Hold the lock of this name. Yields False, without waiting, when another thread or process
    holds it. `name` is used as the name of a file."""
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
        os.close(descriptor)  # whoever held it has removed the file meanwhile
    try:
        yield True
    finally:
        file.unlink(missing_ok=True)  # before it is unlocked, so that no two files are locked
        os.close(descriptor)


def _is_at(descriptor: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
