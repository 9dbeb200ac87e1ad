"""Ends a process when its parent has died, so that a supervisor that was killed leaves none behind.

Linux sends the signal itself. Elsewhere a thread looks for the parent each second.
"""

import ctypes
import os
import signal
import sys
import threading
import time

VARIABLE = "AINEWS_PARENT"
PR_SET_PDEATHSIG = 1
PAUSE = 1.0
_forking_parent = 0


def for_child() -> dict[str, str]:
    """What a child needs in its environment to know its parent."""
    return {VARIABLE: str(os.getpid())}


def follow_parent(*, with_forks: bool = False) -> None:
    """Let this process end with the one that started it, and its forks with it. Does nothing in a
    process that was not started with `for_child`."""
    # Children of our own must not take it for theirs.
    if not (parent := os.environ.pop(VARIABLE, "")):
        return
    end_with(int(parent))
    if with_forks:
        os.register_at_fork(before=_note_parent, after_in_child=_follow_in_fork)


def end_with(parent: int) -> None:
    if not _ask_kernel():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    _check(parent)  # it may have died before


def _ask_kernel() -> bool:
    """Whether the kernel will kill this process when the thread ends that made it."""
    if sys.platform != "linux":
        return False
    return not ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _watch(parent: int) -> None:
    while True:
        time.sleep(PAUSE)
        _check(parent)


def _check(parent: int) -> None:
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def _note_parent() -> None:
    global _forking_parent
    _forking_parent = os.getpid()


def _follow_in_fork() -> None:
    end_with(_forking_parent)
