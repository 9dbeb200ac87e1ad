"""Hashes passwords one at a time, in a thread of low priority.

Hashing a password takes half a second of CPU time, by design. Strangers who send wrong passwords
must not occupy the CPUs and the threads that serve pages. Each process hashes one password at a
time, lets a second request wait, and refuses the others.
"""

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.contrib.auth.hashers import PBKDF2PasswordHasher

from accounts.limits import TooMany

T = TypeVar("T")

MAX_REQUESTS = 2
"""Number of passwords in one process that are being hashed or wait for it."""
NICENESS, LOWEST = 5, 19
"""How much lower the priority of hashing is than that of pages, and the lowest there is."""
RETRY_AFTER = 2


class HashingThread:
    """The thread that hashes. It is created at its first use."""

    def __init__(self) -> None:
        self._reset()
        # A thread does not survive a fork.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._free = threading.Semaphore(MAX_REQUESTS)
        self._pool: ThreadPoolExecutor | None = None

    def run(self, act: Callable[[], T]) -> T:
        """Run `act` in the thread and return its result. Raises TooMany if others wait already."""
        if not self._free.acquire(blocking=False):
            raise TooMany(RETRY_AFTER, "people are signing in")
        try:
            return self._thread().submit(act).result()
        finally:
            self._free.release()

    def _thread(self) -> ThreadPoolExecutor:
        with self._lock:
            if self._pool is None:
                self._pool = ThreadPoolExecutor(1, "hashing", initializer=lower_priority)
            return self._pool


def lower_priority() -> None:
    """Lower the priority of this thread alone, which Linux allows and other systems do not."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # Relative to the process: only root may raise a priority that is low already.
        nice = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
        os.setpriority(os.PRIO_PROCESS, thread, min(nice, LOWEST))


hashing_thread = HashingThread()


class InTurnHasher(PBKDF2PasswordHasher):
    """Django's default hasher, run in the hashing thread. The hashes are the same."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        return hashing_thread.run(
            lambda: super(InTurnHasher, self).encode(password, salt, iterations)
        )
