"""What the terminal shows of a start: sentences, flushed at once."""

import sys


def report(sentence: str) -> None:
    """One line; flushed, as whoever started us may read a pipe."""
    sys.stdout.write(sentence + "\n")
    sys.stdout.flush()
