"""Ends a web server that cannot start, with one sentence."""

import sys

BOOT_ERROR = 3
"""The exit status by which a worker of gunicorn says that the next one would fail too."""


def end_web_server(problem: object) -> None:
    """Print `problem` and end this process, so that gunicorn starts no further workers."""
    sys.stderr.write(f"{problem}\n")
    sys.stderr.flush()
    raise SystemExit(BOOT_ERROR)
