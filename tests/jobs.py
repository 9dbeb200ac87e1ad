"""Tasks that tests send to real workers."""

import os
import time
from pathlib import Path


def hold(file: str, until: str, longest: float = 120.0) -> None:
    """Write its pid when it begins, and say that it ended when there is a file `until`."""
    Path(f"{file}.began").write_text(str(os.getpid()))
    end = time.monotonic() + longest
    while not Path(until).exists() and time.monotonic() < end:
        time.sleep(0.05)
    Path(f"{file}.ended").touch()


def mark(file: str, seconds: float = 0.0) -> None:
    """Say that it began and, so many seconds later, that it ended."""
    Path(f"{file}.began").touch()
    time.sleep(seconds)
    Path(f"{file}.ended").touch()
