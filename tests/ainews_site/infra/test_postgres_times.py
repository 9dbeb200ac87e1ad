"""Times of PostgreSQL are loaded fast, and are those that Django's loader returns."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from psycopg.postgres import types
from psycopg.pq import Format

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="about PostgreSQL"),
    pytest.mark.django_db,
]
TIMES = (
    "2026-11-30 18:23:06.123456+00",
    "2026-11-30 18:23:06.1+00",
    "2026-11-30 18:23:06+00",
    "2026-11-30 18:23:06+05:30",
    "0001-01-01 00:00:00+00",
)


def test_every_connection_has_the_fast_loader() -> None:
    from ainews_site.infra.postgres_loader import UtcLoader

    connection.ensure_connection()
    adapters = connection.connection.adapters
    assert adapters.get_loader(types["timestamptz"].oid, Format.TEXT) is UtcLoader


@pytest.mark.parametrize("time", TIMES)
def test_a_time_is_read_as_written(time: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::timestamptz", [time])
        (loaded,) = cursor.fetchone()
    assert loaded == datetime.fromisoformat(time)
    assert loaded.tzinfo is UTC
