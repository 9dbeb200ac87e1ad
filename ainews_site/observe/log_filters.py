"""Filters for what libraries log twice, or too often."""

import logging
import time

PERIOD = 60.0
REPEATING = ("opentelemetry.", "sentry_sdk", "urllib3.")
"""Beginnings of the names of loggers that report each failed attempt to send something."""


class OncePerMinute(logging.Filter):
    """Drops what such a logger has logged within the last minute, whatever its arguments."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(REPEATING):
            return True
        key, now = (record.name, str(record.msg)[:200]), time.monotonic()
        if now - self._last.get(key, -PERIOD) < PERIOD:
            return False
        self._last[key] = now
        return True


class UnknownHost(logging.Filter):
    """Logs a request for a host that is not ours as one line, at most once a minute.

    Django logs it as an error with a traceback, but scanners send such requests all the time.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last = -PERIOD

    def filter(self, record: logging.LogRecord) -> bool:
        now = time.monotonic()
        if now - self._last < PERIOD:
            return False
        self._last = now
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
        return True


class NotReportedTwice(logging.Filter):
    """Drops django-q2's line about a failed task: ainews_site.observe.tasks has logged it."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not str(record.msg).startswith("Failed '")
