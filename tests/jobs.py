"""Tasks that tests send to real workers."""

import time
from pathlib import Path


def mark(file: str, seconds: float = 0.0) -> None:
    """Say that it began and, so many seconds later, that it ended."""
    Path(f"{file}.began").touch()
    time.sleep(seconds)
    Path(f"{file}.ended").touch()
