"""The logging configuration: JSON lines for machines, or text for a terminal."""

import logging
import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

FORMATS = ("auto", "json", "text")
QUIET = ("httpx", "httpx2", "httpcore", "httpcore2", "openai")
"""Libraries that log each request, with its address."""
VERBOSE = ("boto3", "botocore", "urllib3", "s3transfer", "asyncio")
"""Libraries whose debug messages have headers, credentials or no meaning for an operator."""


def format_problem(name: str) -> str:
    """Return the problem of LOG_FORMAT, or ""."""
    return "" if name in FORMATS else f"must be auto, json or text, not {name!r}"


def endpoint_problem(url: str) -> str:
    """Return the problem of an address that may be empty. It may have a key, so it is not shown."""
    return "" if not url or url.startswith(("http://", "https://")) else "must begin with https://"


def sample_problem(share: float) -> str:
    """Return the problem of OTEL_TRACES_SAMPLER_ARG, or ""."""
    return "" if 0 <= share <= 1 else f"must be a share from 0 to 1, not {share:g}"


def log_format(name: str) -> str:
    """Return "json" or "text". `auto` is text if a person reads stderr in a terminal."""
    if name != "auto":
        return name
    return "text" if sys.stderr is not None and sys.stderr.isatty() else "json"


def logging_settings(level: str, kind: str) -> dict[str, Any]:
    """Return the setting LOGGING. `kind` is what `log_format` returns."""
    is_json = kind == "json"
    handler = {"handlers": ["stderr"], "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "json": {"()": "ainews_site.observe.log_lines.JsonLines"},
            "text": {"()": "ainews_site.observe.log_lines.TextLines"},
        }
        if is_json
        else {"text": {"()": "ainews_site.observe.log_lines.TextLines"}},
        "filters": {
            "locks": {"()": "ainews_site.infra.sqlite_lock.OneLineForLocks"},
            "unknown host": {"()": "ainews_site.observe.log_filters.UnknownHost"},
            "reported": {"()": "ainews_site.observe.log_filters.NotReportedTwice"},
            "often": {"()": "ainews_site.observe.log_filters.OncePerMinute"},
        },
        "handlers": {
            "stderr": {
                "class": "logging.StreamHandler",
                "formatter": kind,
                "filters": ["locks", "often"],
            }
        },
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Django adds a handler of its own to this logger, with another format.
            "django": {"handlers": [], "propagate": True},
            # ainews.access has the others.
            "django.request": {"level": "ERROR"} if is_json else {},
            "django.security.DisallowedHost": {"filters": ["unknown host"]},
            "django.server": {"handlers": [], "propagate": True},
            # In JSON each task has a line of its own, see ainews_site.observe.tasks.
            "django-q": {"filters": ["reported"]} | ({"level": "WARNING"} if is_json else {}),
            "ainews.access": {} if is_json else {"level": "WARNING"},
            "ainews.tasks": {} if is_json else {"level": "WARNING"},
            "gunicorn.error": handler,
            # Their lines have addresses and query strings; ours are ainews.access.
            "gunicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
        }
        | {name: {"level": _at_least("WARNING", level)} for name in QUIET}
        | {name: {"level": _at_least("INFO", level)} for name in VERBOSE}
        # The broker of RabbitMQ reports a failed connection itself, once.
        | {"pika": {"level": "CRITICAL"}},
    }


def _at_least(lowest: str, level: str) -> str:
    levels = logging.getLevelNamesMapping()
    return level if levels[level] > levels[lowest] else lowest


def secrets_of(settings: Any, environment: Mapping[str, str] = os.environ) -> set[str]:
    """Return the secrets of the settings, which no log line may have."""
    databases = settings.DATABASES.values()
    passwords = [database.get("PASSWORD") for database in databases]
    mail = [getattr(settings, "EMAIL_HOST_PASSWORD", "")]
    keys = [settings.SECRET_KEY, settings.OPENAI_API_KEY, settings.SENTRY_DSN]
    keys.append(settings.METRICS_TOKEN)
    names = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "SECRET_KEY")
    headers = settings.OTEL_EXPORTER_OTLP_HEADERS.split(",")
    return {
        str(value)
        for value in (
            *passwords,
            *mail,
            *keys,
            _password(settings.REDIS_URL),
            _password(environment.get("QUEUE_URL", "")),
            _key_of(settings.SENTRY_DSN),
            *(environment.get(name, "") for name in names),
            *(header.partition("=")[2].strip() for header in headers),
        )
        if value
    }


def _password(url: str) -> str:
    try:
        return unquote(urlsplit(url).password or "")
    except ValueError:
        return ""


def _key_of(dsn: str) -> str:
    return urlsplit(dsn).username or ""
