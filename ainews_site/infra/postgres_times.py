"""Reads the times of PostgreSQL a tenth as slowly as Django's loader, which parses them in Python.

A page reads hundreds of times, by querysets and by SQL of its own.
"""

from datetime import UTC
from typing import Any

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created


def connect() -> None:
    """Prepare every connection to PostgreSQL from now on."""
    connection_created.connect(_prepare, dispatch_uid="ainews_site.infra.postgres_times")


def _prepare(connection: BaseDatabaseWrapper, **_: Any) -> None:
    if connection.vendor == "postgresql" and connection.timezone == UTC:
        from ainews_site.infra.postgres_loader import register

        register(connection.connection)
