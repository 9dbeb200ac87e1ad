"""Lets a running task learn that its process was asked to stop, so that it ends at its next unit.

The supervisor of a cluster writes the request into a file, because only the leader of a cluster
gets SIGTERM. A task asks `is_stopping()` between two units of work. What is not done stays due in
the database, and the task calls `leave_rest`, so that its message is queued again.
"""

import os
from pathlib import Path

VARIABLE = "AINEWS_STOP_FILE"
"""The environment variable that names the file to the processes of a cluster."""
_is_requested = False
_has_left_rest = False


class TaskStopped(SystemExit):
    """Raised in a task that did not end in time after a stop was requested.

    It is no Exception, so that code which reports any error and goes on does not catch it, and a
    SystemExit, because psycopg then cancels the query that runs. `finally` gives leases back.
    """


def request_stop() -> None:
    """Let `is_stopping` be true in this process from now on."""
    global _is_requested
    _is_requested = True


def write_request(file: Path) -> None:
    """Request the stop of the cluster whose processes have `file` in VARIABLE."""
    file.write_bytes(b"stop\n")


def is_stopping() -> bool:
    """Return True if this process was asked to stop. It costs a few microseconds."""
    if _is_requested:
        return True
    file = os.environ.get(VARIABLE)
    if not file:
        return False
    try:
        return Path(file).stat().st_size > 0
    except FileNotFoundError:
        return False


def leave_rest() -> None:
    """Record that the running task has left work for its successor."""
    global _has_left_rest
    _has_left_rest = True


def take_rest() -> bool:
    """Return True if work was left since the last call."""
    global _has_left_rest
    has_left, _has_left_rest = _has_left_rest, False
    return has_left
