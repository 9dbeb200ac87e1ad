"""Kills a process when its parent dies, so that no child outlives a supervisor that was killed.

On Linux the kernel sends the signal. Elsewhere a thread checks the parent's pid each second.
"""

import ctypes
import os
import signal
import sys
import threading
import time

VARIABLE = "AINEWS_PARENT"
PR_SET_PDEATHSIG = 1
"""The operation of Linux's prctl(2) that asks for a signal when the parent dies."""
PAUSE = 1.0
_forking_parent = 0


def for_child() -> dict[str, str]:
    """Return the environment variables that tell a child the pid of its parent."""
    return {VARIABLE: str(os.getpid())}


def follow_parent(*, with_forks: bool = False) -> None:
    """Let this process die with its parent, and, `with_forks`, its forks with this process.

    Does nothing unless the parent set the variables of `for_child`.
    """
    # Remove the variable, so that our own children do not mistake it for theirs.
    if not (parent := os.environ.pop(VARIABLE, "")):
        return
    end_with(int(parent))
    if with_forks:
        os.register_at_fork(before=_note_parent, after_in_child=_follow_in_fork)


def end_with(parent: int) -> None:
    """Let this process die when the process `parent`, which started it, dies."""
    if not _request_signal():
        threading.Thread(target=_watch, args=(parent,), daemon=True).start()
    _check(parent)  # it may have died before we asked


def _request_signal() -> bool:
    """Ask the kernel to kill this process when the parent's thread that started it ends.

    Returns False if this is not possible.
    """
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
