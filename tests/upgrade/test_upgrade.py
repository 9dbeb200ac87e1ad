"""A reader's database of every release so far survives the upgrade to this one."""

import gzip
import importlib
import json
import os
import sqlite3
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.db import connection

from feeds.models import ItemBody
from tests.make import make_item, make_source
from tests.services import Postgres

RELEASES = sorted(Path(__file__).parent.glob("*.sqlite3.gz"))
KEPT_TABLES = (
    "accounts_user",
    "feeds_source",
    "feeds_item",
    "feeds_itembody",
    "feeds_itemkey",
    "feeds_story",
    "feeds_subscription",
    "feeds_itemstate",
    "digests_digest",
)
LOOK = """
import json, django
django.setup()
from django.conf import settings
settings.ALLOWED_HOSTS.append("testserver")
from django.test import Client
from accounts.models import User
from feeds.models import Item
from feeds.reading.filters import Filters
from feeds.reading.river import river
from feeds.reading.unread import unread_counts
from feeds.search.run import search_items
reader = User.objects.get()
page = Client(); page.force_login(reader)
newest = Item.objects.newest_first().first()
paths = ["/", "/river/", "/sources/", "/digest/"]
paths += [f"/item/{newest.pk}/", f"/story/{newest.story_id}/"]
print(json.dumps({
    "pages": [page.get(path).status_code for path in paths],
    "found": newest.pk in [item.pk for item in search_items(reader, newest.title).items],
    "saved": len(river(reader, Filters(saved=True))),
    "river": len(river(reader, Filters(), limit=100)),
    "unread": sum(unread_counts(reader).values()),
}))
"""


def environment(data: Path, database: str = "") -> dict[str, str]:
    return os.environ | {
        "DATA": str(data),
        "DATABASE_URL": database,
        "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
        "UNREAD_HORIZON_DAYS": "36500",
    }


def run(data: Path, *arguments: str, database: str = "") -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        env=environment(data, database),
        cwd=settings.BASE_DIR,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def count_rows(database: Path) -> dict[str, int]:
    with sqlite3.connect(database) as connection:
        return {
            table: connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in KEPT_TABLES
        }


@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_nothing_is_lost_by_the_upgrade(release: Path, tmp_path: Path) -> None:
    database = tmp_path / "ainews.sqlite3"
    database.write_bytes(gzip.decompress(release.read_bytes()))
    before = count_rows(database)
    assert all(before.values()), before
    run(tmp_path, "manage.py", "migrate", "-v", "0")
    assert count_rows(database) == before
    check_look(run(tmp_path, "-c", LOOK), before)
    with sqlite3.connect(database) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert not connection.execute("PRAGMA foreign_key_check").fetchall()
        connection.execute("INSERT INTO feeds_search (feeds_search) VALUES ('integrity-check')")


def check_look(printed: str, before: dict[str, int]) -> None:
    """Check what LOOK has printed of a database that had the rows `before`."""
    seen: dict[str, Any] = json.loads(printed.splitlines()[-1])
    assert seen["pages"] == [200] * 6
    assert seen["found"]
    assert seen["saved"] == 1
    assert seen["river"] == before["feeds_item"] - 1
    assert 0 < seen["unread"] < before["feeds_item"]


@pytest.mark.slow
@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.name)
def test_nothing_is_lost_by_the_upgrade_and_the_move_to_postgresql(
    release: Path, tmp_path: Path, postgres: Postgres
) -> None:
    """Each release ran on PostgreSQL too, but its database can be kept with the tests in SQLite
    only. What matters there are the migrations of the data, which are the same."""
    database = tmp_path / "ainews.sqlite3"
    database.write_bytes(gzip.decompress(release.read_bytes()))
    before = count_rows(database)
    run(tmp_path, "manage.py", "migrate", "-v", "0")
    postgres.sql("DROP DATABASE IF EXISTS upgraded WITH (FORCE)", "postgres")
    postgres.sql("CREATE DATABASE upgraded", "postgres")
    url = postgres.url("upgraded")
    run(tmp_path, "manage.py", "migrate_to_postgres", "--to", url)
    counts = {
        table: int(postgres.sql(f"SELECT count(*) FROM {table}", "upgraded")) for table in before
    }
    assert counts == before
    run(tmp_path, "manage.py", "migrate", "-v", "0", database=url)
    check_look(run(tmp_path, "-c", LOOK, database=url), before)


def test_there_is_a_release_to_upgrade_from() -> None:
    assert RELEASES


@pytest.mark.django_db
def test_frames_that_were_left_open_are_closed() -> None:
    hostile = make_item(make_source("one"), html="<p>a</p><><img src=x onerror=alert(1)></iframe>")
    harmless = make_item(make_source("two"), html="<p>a &lt;&gt; b</p>")
    migration = importlib.import_module("feeds.migrations.0003_sanitise_frames")
    migration.sanitise_again(apps, SimpleNamespace(connection=connection))
    assert ItemBody.objects.get(pk=hostile.pk).html == "<p>a</p>"
    assert ItemBody.objects.get(pk=harmless.pk).html == "<p>a &lt;&gt; b</p>"
