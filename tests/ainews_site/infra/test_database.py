"""Connections to the database: pools of web processes, PgBouncer, and failures."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import psycopg
import pytest

from ainews_site.infra.db_errors import in_words
from tests.ainews_site.infra.test_replicas import answers, serving, wait_until
from tests.services import PgBouncer, Postgres, free_port
from tests.workers import Helper, Worker, environment, publishing, stop_all, work_off

ROOT = Path(__file__).resolve().parents[3]
AT_WORK = """
import json
from concurrent.futures import ThreadPoolExecutor
from django.db import connection
from feeds.models import Item, ItemBody, Source
from feeds.reading.filters import Filters
from feeds.reading.marks import mark_all_read
from feeds.reading.river import river
from feeds.reading.unread import unread_counts
from feeds.search.run import search_items
from feeds.stories.grouping.group import group_new_items
from tests.make import make_item, make_source, make_user

user = make_user()
sources = [make_source(f"Outlet {n}", reader=user) for n in range(8)]

def work(source):
    try:
        for number in range(5):
            item = make_item(source, f"A zanzibar of {source.pk} {number}")
        return len(river(user, Filters(source_id=source.pk)))
    finally:
        connection.close()

with ThreadPoolExecutor(8) as pool:
    lengths = list(pool.map(work, sources))
group_new_items()
before = sum(unread_counts(user).values())
mark_all_read(user, None, 10**9)
print(json.dumps({
    "lengths": lengths, "unread": before, "after": sum(unread_counts(user).values()),
    "found": len(search_items(user, "zanzibar").items),
    "ungrouped": Item.objects.filter(story=None).count(),
    "walked": sum(1 for _ in Item.objects.order_by("pk").iterator(chunk_size=3)),
}))
"""


def env_for(url: str, data: Path, **more: str) -> dict[str, str]:
    places = {"DATA": str(data), "DATABASE_URL": url, "REDIS_URL": "", "DEBUG": ""}
    return os.environ | places | {"DATABASE_REPLICA_URLS": ""} | more


def manage(env: dict[str, str], *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True)


@contextmanager
def database(postgres: Postgres, name: str) -> Iterator[str]:
    """Make a database with all tables."""
    postgres.migrated(name)
    try:
        yield name
    finally:
        postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_all_work_goes_through_pgbouncer(
    postgres: Postgres, pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    with database(postgres, "bounced") as name:
        postgres.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public", name)
        env = env_for(pgbouncer.url(name), tmp_path)
        assert manage(env, "migrate", "-v0").returncode == 0
        done = manage(env, "shell", "-v", "0", "-c", AT_WORK)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
    assert said == {
        "lengths": [5] * 8,
        "unread": 40,
        "after": 0,
        "found": said["found"],
        "ungrouped": 0,
        "walked": 40,
    }
    assert said["found"] >= 20


@pytest.mark.timeout(400)
def test_workers_and_pages_go_through_pgbouncer(
    postgres: Postgres, pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    """All work shares few connections, and none keeps a setting of a session."""
    with database(postgres, "shared") as name, publishing(4, 2, 5) as outlets:
        env = environment(tmp_path / "worker", pgbouncer.url(name))
        worker = Worker(env, "--processes", "2")
        try:
            with Helper(env) as helper, serving(env | {"DATA": str(tmp_path)}) as site:
                helper.call("follow", *outlets.urls)
                worker.wait_until_working()
                for _ in range(30):
                    outlets.publish_some()
                    helper.call("due")
                    assert httpx.get(f"{site}/signin/", timeout=60).status_code == 200
                work_off(outlets, helper, 120)
                assert stop_all([worker]) == [0]
                counts = helper.call("counts")
        finally:
            worker.kill_all()
        assert isinstance(counts, dict)
        assert counts["items"] == counts["told"] == outlets.total
        assert not outlets.overlaps
        assert "Traceback" not in worker.log()
        assert set_by_sessions(pgbouncer.url(name)) <= KEPT_BY_PGBOUNCER


KEPT_BY_PGBOUNCER = {
    "application_name",
    "client_encoding",
    "DateStyle",
    "standard_conforming_strings",
    "TimeZone",
}
"""Settings that PgBouncer tracks and sets for each client."""


def set_by_sessions(url: str) -> set[str]:
    """Return the settings that stayed on each of the five connections of the pool."""
    with ExitStack() as stack:
        found = set()
        for _ in range(5):
            session = stack.enter_context(psycopg.connect(url, prepare_threshold=None))
            rows = session.execute("SELECT name FROM pg_settings WHERE source = 'session'")
            found |= {row[0] for row in rows}
        return found


def test_a_backup_through_a_pooler_is_refused(
    postgres: Postgres, pgbouncer: PgBouncer, tmp_path: Path
) -> None:
    """pg_dump sets the search path, so the next client of its connection would find no table."""
    with database(postgres, "dumped") as name:
        done = manage(env_for(pgbouncer.url(name), tmp_path), "backup")
        assert done.returncode == 1
        assert "DATABASE_URL is the address of a connection pooler such as PgBouncer" in done.stderr
        assert "Traceback" not in done.stderr
        assert manage(env_for(postgres.url(name), tmp_path), "backup").returncode == 0


def test_a_web_process_keeps_few_connections_and_survives_a_restart(tmp_path: Path) -> None:
    with Postgres() as server:
        env = env_for(server.migrated(), tmp_path, DATABASE_POOL="3")
        backends = (
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = 'ainews' AND pid <> pg_backend_pid()"
        )
        with serving(env) as site, ThreadPoolExecutor(12) as pool:

            def ask(_: object = None) -> int:
                return httpx.get(f"{site}/signin/", timeout=60).status_code

            assert set(pool.map(ask, range(60))) == {200}
            assert 1 <= int(server.sql(backends)) <= 3
            server.stop()
            server.start()
            wait_until(lambda: httpx.get(f"{site}/health", timeout=60).status_code == 200, 60)
            assert set(pool.map(ask, range(12))) == {200}


def test_without_a_pool_the_threads_of_gunicorn_keep_their_connections(tmp_path: Path) -> None:
    with Postgres() as server:
        env = env_for(server.migrated(), tmp_path, DATABASE_POOL="0")
        started = (
            "SELECT string_agg(pid || ' ' || backend_start, ',') FROM pg_stat_activity"
            " WHERE datname = 'ainews' AND pid <> pg_backend_pid()"
        )
        port = free_port()
        options = ["-b", f"127.0.0.1:{port}", "-k", "gthread", "--threads", "1"]
        command = [sys.executable, "-m", "gunicorn", *options, "ainews_site.wsgi"]
        web = subprocess.Popen(command, cwd=ROOT, env=env)

        def status() -> int:
            return httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=60).status_code

        try:
            wait_until(lambda: answers(f"http://127.0.0.1:{port}"))
            kept = server.sql(started)
            assert kept
            assert [status() for _ in range(5)] == [200] * 5
            assert server.sql(started) == kept
            server.stop()
            server.start()
            assert [status() for _ in range(5)] == [200] * 5
            assert server.sql(started) != kept
        finally:
            web.terminate()
            web.wait()


def test_problems_of_the_database_address_are_explained(tmp_path: Path) -> None:
    with Postgres(password="right") as server:
        good = server.url()
        wrong = {
            good.replace("right", "wrong"): "rejected the password of 'ainews'",
            good.rpartition("/")[0] + "/nothing": "createdb nothing",
            f"postgres://ainews@127.0.0.1:{free_port()}/ainews": "Is it running?",
            "postgres://ainews@nowhere.invalid/ainews": "Unknown host 'nowhere.invalid'",
        }
        for url, sentence in wrong.items():
            done = manage(env_for(url, tmp_path), "migrate")
            assert done.returncode == 1
            assert sentence in done.stderr
            assert "Traceback" not in done.stderr
            assert "wrong" not in done.stderr.replace("wrong with", "")


@pytest.mark.parametrize(
    ("said", "meaning"),
    [
        ("PostgreSQL 14 or later is required (found 11.22).", "too old"),
        ('could not extend file "base/1": No space left on device', "Free space"),
        ("database or disk is full", "Free space"),
        ("FATAL: sorry, too many clients already", "max_connections"),
        ("something else", ""),
    ],
)
def test_other_failures_are_explained(said: str, meaning: str) -> None:
    sentence = in_words(Exception(said), {"HOST": "db", "NAME": "news"})
    assert meaning in sentence
    assert bool(sentence) == bool(meaning)
