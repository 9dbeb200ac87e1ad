"""Passes on what a child process writes to stderr, and describes how the process ended."""

import os
import signal
import sys
import threading
from collections import deque
from contextlib import suppress
from typing import IO

MAX_LINES = 15
CHUNK = 65536


class Echo:
    """Copies the stderr of a child process to our own, and keeps the last lines."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._lines: deque[bytes] = deque(maxlen=MAX_LINES)
        self._stream = stream
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def last_lines(self) -> list[str]:
        """Return the last lines without the empty ones.

        If the child has ended, waits until everything that it wrote was read.
        """
        self._thread.join(1.0)
        return [line.decode(errors="replace") for line in self._lines if line.strip()]

    def _copy(self) -> None:
        """Read until the child ends, also if our own stderr fails: a full pipe would block it."""
        rest = b""
        with self._stream:
            while data := os.read(self._stream.fileno(), CHUNK):
                with suppress(OSError, ValueError):
                    sys.stderr.buffer.write(data)
                    sys.stderr.buffer.flush()
                *lines, rest = (rest + data).split(b"\n")
                self._lines.extend(lines)
        self._lines.append(rest)


def how_it_ended(status: int | None) -> str:
    """Describe a return code of `subprocess` in a phrase that follows the name of the process."""
    if status is None:
        return "does not answer"
    if status >= 0:
        return f"ended with exit status {status}"
    try:
        name = signal.Signals(-status).name
    except ValueError:
        name = f"signal {-status}"
    return f"was killed by {name}" + (" (is there enough memory?)" if name == "SIGKILL" else "")
