"""The Django settings of logging. Pure."""

from typing import Any

QUIET = ("httpx", "httpx2", "httpcore", "httpcore2", "openai")
"""Loggers that write a line for each request that the program makes."""


def logging_settings(level: str) -> dict[str, Any]:
    """Return LOGGING for lines of at least `level`."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
        "filters": {"locks": {"()": "ainews_site.infra.sqlite_lock.OneLineForLocks"}},
        "handlers": {
            "stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": ["locks"]}
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {name: {"level": "WARNING"} for name in QUIET}
        # The broker of RabbitMQ reports a failed connection itself, once.
        | {"pika": {"level": "CRITICAL"}},
    }
