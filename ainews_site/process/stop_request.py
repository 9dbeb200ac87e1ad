"""Turns SIGINT and SIGTERM into an exception that the supervisor and the `worker` command catch.

An exception that a signal handler raises appears at any line. Within a query it could be swallowed
or turned into a database error, so `deferred_stop` postpones it until the query has ended.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stopped(BaseException):
    """SIGINT or SIGTERM asked this process to stop.

    It is no Exception, so that code which reports any error and goes on does not catch it.
    """


_is_deferred = False
_is_requested = False


def expect_stop() -> None:
    """Let the next SIGINT or SIGTERM raise Stopped. Further ones are ignored until then."""
    global _is_requested
    _is_requested = False
    signal.signal(signal.SIGINT, _request_stop)
    signal.signal(signal.SIGTERM, _request_stop)


def _request_stop(number: int, frame: Any) -> None:
    global _is_requested
    # A second Ctrl-C must not interrupt the shutdown.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _is_requested = True
    if not _is_deferred:
        raise Stopped


@contextmanager
def deferred_stop() -> Iterator[None]:
    """Raise Stopped after the block rather than within it. Blocks must not be nested."""
    global _is_deferred
    _is_deferred = True
    try:
        yield
    finally:
        _is_deferred = False
    if _is_requested:
        raise Stopped
