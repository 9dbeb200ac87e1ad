"""Logs exceptions that end a thread or the process, so that their lines have the common format."""

import logging
import sys
import threading
from types import TracebackType

logger = logging.getLogger("ainews.crash")


def install() -> None:
    """Install the hooks. Python's own write a traceback as it is."""
    sys.excepthook = _log
    threading.excepthook = _log_thread


def _log(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        sys.__excepthook__(kind, error, traceback)
        return
    logger.critical("The process failed.", exc_info=(kind, error, traceback))


def _log_thread(arguments: threading.ExceptHookArgs) -> None:
    if arguments.exc_type is SystemExit or arguments.exc_value is None:
        return
    details = (arguments.exc_type, arguments.exc_value, arguments.exc_traceback)
    logger.error("A thread failed.", exc_info=details)
