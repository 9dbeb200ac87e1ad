"""Messages of a long-running command to its terminal."""

import sys


def report(sentence: str) -> None:
    """Print one line and flush it at once, because stdout may be a pipe that a program reads."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
