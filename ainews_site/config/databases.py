"""The Django settings of the database and its replicas."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

import environ

from ainews_site.config.role import is_web_server, keeps_threads
from ainews_site.config.sizing import measure, sizes_for
from ainews_site.infra.places import SERVER_PACKAGES

KEEP_CONNECTION = 60
"""Seconds for which a thread of gunicorn keeps its PostgreSQL connection if there is no pool."""
SQLITE, POSTGRESQL = "django.db.backends.sqlite3", "django.db.backends.postgresql"
POOLED_SQLITE = "ainews_site.infra.pooled_sqlite3"


def replicas_of(url: str, replica_urls: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the entries of DATABASES for the replicas of the database at `url`.

    Raises SystemExit if a URL is not valid, or if the database can have no replicas.
    """
    replicas = {
        f"replica{number}": _replica(number, replica_url.strip())
        for number, replica_url in enumerate(replica_urls, 1)
    }
    if replicas and _primary(url)["ENGINE"] != POSTGRESQL:
        raise SystemExit(
            "DATABASE_REPLICA_URLS needs PostgreSQL in DATABASE_URL: SQLite has no replicas."
        )
    return replicas


def databases(
    url: str, replicas: dict[str, dict[str, Any]], *, pool_size: int, busy_timeout: float
) -> dict[str, dict[str, Any]]:
    """Return DATABASES.

    `pool_size` counts connections of a web process to PostgreSQL. `busy_timeout` is how many
    seconds a write to SQLite waits for its lock. Raises SystemExit if `url` is not valid.
    """
    primary = _primary(url)
    if primary["ENGINE"] == SQLITE:
        return {"default": _sqlite(primary, busy_timeout)}
    servers = {"default": primary} | replicas
    return {
        name: _postgresql(server, pool_size, has_replicas=bool(replicas))
        for name, server in servers.items()
    }


def _primary(url: str) -> dict[str, Any]:
    config: dict[str, Any] = environ.Env.db_url_config(url)
    if config.get("ENGINE") not in (SQLITE, POSTGRESQL):
        raise SystemExit("DATABASE_URL is not a database URL; see .env.example.")
    if config["ENGINE"] == POSTGRESQL and find_spec("psycopg") is None:
        raise SystemExit(
            "DATABASE_URL names PostgreSQL, but psycopg is not installed. Install"
            f" {SERVER_PACKAGES}, or leave DATABASE_URL empty."
        )
    return config


def _replica(number: int, url: str) -> dict[str, Any]:
    """Return the entry of DATABASES for a replica.

    The error omits its URL, which has a password.
    """
    is_ours = url.partition("://")[0] in ("postgres", "postgresql")
    try:
        replica = dict(environ.Env.db_url_config(url)) if is_ours else {}
    except ValueError:
        replica = {}
    if not replica.get("NAME"):
        raise SystemExit(
            f"DATABASE_REPLICA_URLS: URL {number} must be postgres://user:password@host/name;"
            " see .env.example."
        )
    return replica | {"TEST": {"MIRROR": "default"}}


def _sqlite(config: dict[str, Any], busy_timeout: float) -> dict[str, Any]:
    cache = sizes_for(measure(), sqlite=True).sqlite_cache
    options = {
        # A deferred transaction fails at its first write, whatever the time-out, if another writer
        # is active. An IMMEDIATE one waits.
        "transaction_mode": "IMMEDIATE",
        "timeout": busy_timeout,
        # None of these takes the write lock; see ainews_site.infra.sqlite_lock.
        "init_command": (
            f"PRAGMA synchronous=NORMAL; PRAGMA cache_size=-{cache}; PRAGMA mmap_size=33554432;"
            "PRAGMA temp_store=MEMORY; PRAGMA foreign_keys=ON"
        ),
    }
    engine = POOLED_SQLITE if is_web_server() else config["ENGINE"]
    return config | {"ENGINE": engine, "OPTIONS": options, "DISABLE_SERVER_SIDE_CURSORS": True}


def _postgresql(config: dict[str, Any], pool_size: int, *, has_replicas: bool) -> dict[str, Any]:
    # PgBouncer in transaction mode may use another server connection for each fetch.
    database = config | {"DISABLE_SERVER_SIDE_CURSORS": True}
    if has_replicas:
        # A failed server must be noticed soon, and before the query of a reader.
        database["CONN_HEALTH_CHECKS"] = True
        database["OPTIONS"] = {"connect_timeout": 2} | database.get("OPTIONS", {})
    # A pool does not survive the forks of the queue's clusters, so only a web server has one. It
    # stops reconnecting after four seconds; the next request starts over.
    if is_web_server() and pool_size > 0:
        database["CONN_HEALTH_CHECKS"] = True
        pool = {"min_size": 1, "max_size": pool_size, "timeout": 3, "reconnect_timeout": 4}
        database["OPTIONS"] = database.get("OPTIONS", {}) | {"pool": pool}
    elif keeps_threads():
        database["CONN_HEALTH_CHECKS"] = True
        database["CONN_MAX_AGE"] = KEEP_CONNECTION
    return database
