"""The typed schema of the environment variables, and how they are read.

The process environment wins over `.env`; `.env.example` documents every name.
"""

import os
import re
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import environ

from ainews_site.config.https import HSTS_SECONDS
from ainews_site.config.names import DEPRECATED, adopt_deprecated, misspelt_names
from ainews_site.config.secret_files import NAMES as SECRETS
from ainews_site.config.secret_files import SecretFileError, read_secret_files
from ainews_site.config.values import check_boolean, kind_problem
from ainews_site.infra.places import default_data

LOCATORS = ("DATA", "DATABASE_URL")
"""Variables that locate the database."""

env = environ.Env(
    DATA=(str, str(default_data())),
    ARCHIVE_AFTER_DAYS=(int, 0),
    ARCHIVE_DIR=(str, ""),
    STATIC_ROOT=(str, ""),
    DATABASE_URL=(str, ""),
    DATABASE_POOL=(int, 10),
    DATABASE_REPLICA_URLS=(list, []),
    DATABASE_REPLICA_LAG=(float, 10.0),
    REDIS_URL=(str, ""),
    REDIS_EVENT_WAIT=(int, 5),
    SECRET_KEY=(str, ""),
    DEBUG=(bool, False),
    HOST=(str, "127.0.0.1"),
    PORT=(int, 8000),
    ALLOWED_HOSTS=(list, []),
    API_HOST=(str, ""),
    CORS_ORIGINS=(list, []),
    STATIC_URL=(str, "/static/"),
    CSRF_TRUSTED_ORIGINS=(list, []),
    TIME_ZONE=(str, "UTC"),
    ASK_HOURLY=(int, 20),
    COSTLY_AT_ONCE=(int, 1),
    SITE_URL=(str, ""),
    TRUSTED_PROXIES=(list, []),
    HSTS_SECONDS=(int, HSTS_SECONDS),
    HSTS_SUBDOMAINS=(bool, False),
    EMAIL_URL=(str, ""),
    EMAIL_FROM=(str, ""),
    DIGEST_HOUR=(int, 6),
    LLM_CACHE_DAYS=(int, 30),
    LLM_CONCURRENCY=(int, 2),
    LLM_CONNECT_TIMEOUT=(float, 10.0),
    LLM_MODEL=(str, ""),
    LLM_MONTHLY_BUDGET=(float, 0.0),
    LLM_PRICES=(list, []),
    LLM_TIMEOUT=(float, 60.0),
    LOG_ADDRESSES=(bool, False),
    LOG_FORMAT=(str, "auto"),
    LOG_LEVEL=(str, "INFO"),
    OTEL_EXPORTER_OTLP_ENDPOINT=(str, ""),
    OTEL_EXPORTER_OTLP_HEADERS=(str, ""),
    OTEL_SERVICE_NAME=(str, "ainews"),
    OTEL_TRACES_SAMPLER_ARG=(float, 1.0),
    METRICS=(bool, True),
    METRICS_TOKEN=(str, ""),
    METRICS_NETWORKS=(list, []),
    METRICS_SOURCES=(int, 100),
    METRICS_LISTEN=(str, ""),
    TLS_CERTIFICATE=(str, ""),
    OPENAI_API_KEY=(str, ""),
    OPENAI_BASE_URL=(str, "https://api.openai.com/v1"),
    FETCH_ALLOW_PRIVATE=(list, []),
    FETCH_CONCURRENCY=(int, 0),
    FETCH_CONNECT_TIMEOUT=(float, 10.0),
    FETCH_TIMEOUT=(float, 20.0),
    FETCH_MAX_BYTES=(int, 15 * 1024 * 1024),
    FETCH_IN_FLIGHT_BYTES=(int, 64 * 1024 * 1024),
    FETCH_HOST_PAUSE=(float, 1.0),
    FETCH_CONTACT_URL=(str, "https://github.com/ainews/ainews"),
    FETCH_FROM=(str, ""),
    FETCH_PORTS=(list, ["80", "443", "8080", "8443"]),
    EMBEDDINGS=(str, "none"),
    EMBEDDING_MODEL=(str, ""),
    POLL_BATCH=(int, 0),
    LEASE_SECONDS=(int, 900),
    POLL_WAITING=(int, 8),
    QUEUE_URL=(str, ""),
    QUOTA_SOURCES=(int, 2000),
    QUOTA_FOLDERS=(int, 500),
    QUOTA_TOKENS=(int, 50),
    QUOTA_CHANNELS=(int, 10),
    SENTRY_DSN=(str, ""),
    SENTRY_ENVIRONMENT=(str, "production"),
    REQUESTS_AT_ONCE=(int, 16),
    REQUESTS_WAITING=(int, 100),
    SQLITE_BUSY_TIMEOUT=(float, 10.0),
    UNREAD_HORIZON_DAYS=(int, 30),
    WORKERS=(int, 0),
)


@dataclass(frozen=True)
class Environment:
    """What was read: the LOCATORS that the process was given without `.env`, and warnings."""

    locators: dict[str, str]
    warnings: list[str]


def read_environment(file: Path) -> Environment:
    """Read `file` and the files of secrets, and validate all variables.

    Raises SystemExit if a file cannot be read or the value of a variable has the wrong type.
    """
    given = {name: os.environ[name] for name in LOCATORS if name in os.environ}
    names = list(os.environ)
    try:
        read_secret_files(os.environ)
    except SecretFileError as error:
        raise SystemExit(str(error)) from None
    names_in_file = _read_file(file)
    warnings = adopt_deprecated(os.environ, DEPRECATED)
    known = {*env.scheme, *DEPRECATED, *(f"{name}_FILE" for name in SECRETS)}
    warnings += misspelt_names(known, names_in_file, names)
    for name in env.scheme:
        if not os.environ.get(name, "unset"):  # empty means the default, as in compose files
            del os.environ[name]
    for name, (kind, _) in env.scheme.items():
        try:
            env(name)
            if kind is bool and name in os.environ:
                check_boolean(os.environ[name])
        except (ValueError, TypeError):
            problem = kind_problem(kind, os.environ[name])
            raise SystemExit(f"{name} {problem}; see .env.example.") from None
    return Environment(given, warnings)


def _read_file(file: Path) -> list[str]:
    """Add the variables of `file`, if it exists, to those of the process, and return their names.

    A variable that the process was given keeps its value.
    """
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text in UTF-8"
        raise SystemExit(f"The settings in {file} cannot be read: {reason}.") from None
    environ.Env.read_env(StringIO(text))
    return re.findall(r"^(?:export\s+)?([A-Za-z_]\w*)\s*=", text, re.MULTILINE)
