"""SQLite connections that web processes keep: none is shared, stale, or of a replaced file."""

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from django.db import DatabaseError

from ainews_site.infra.pooled_sqlite3.base import DatabaseWrapper
from ainews_site.infra.pooled_sqlite3.pool import MAX_IDLE, Pool, identity_of, pool
from tests.ainews_site.infra.test_replicas import wait_until
from tests.locks import WriteLock
from tests.services import free_port
from tests.workers import ROOT, environment, migrate

PREPARE = """
from accounts.models import ApiToken, User
from feeds.models import Source, Subscription
user = User.objects.create_user("reader")
source = Source.objects.create(url="https://one.example/feed", title="One")
Subscription.objects.create(user=user, source=source)
print(ApiToken.issue(user, "test"))
"""
RENAME = "from feeds.models import Source; Source.objects.update(title='Renamed')"


@pytest.fixture
def file(tmp_path: Path, django_db_blocker: Any) -> Iterator[Path]:
    path = tmp_path / "kept.sqlite3"
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA journal_mode = WAL")
        raw.execute("CREATE TABLE numbers (number INTEGER)")
        raw.executemany("INSERT INTO numbers VALUES (?)", [(n,) for n in range(5_000)])
    raw.close()
    pool.close()
    with django_db_blocker.unblock():
        yield path
    pool.close()


def wrapper(path: Path) -> DatabaseWrapper:
    from django.db import connections

    settings_dict = connections["default"].settings_dict | {
        "NAME": str(path),
        "CONN_MAX_AGE": 0,
        "OPTIONS": {"timeout": 1.0},
    }
    return DatabaseWrapper(settings_dict, "kept")


def raw_of(database: DatabaseWrapper) -> Any:
    database.ensure_connection()
    return database.connection


def count(database: DatabaseWrapper) -> int:
    with database.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM numbers")
        return int(cursor.fetchone()[0])


def end_request(database: DatabaseWrapper) -> None:
    database.close_if_unusable_or_obsolete()
    assert database.connection is None


def test_the_next_request_uses_the_connection_also_in_another_thread(file: Path) -> None:
    first = wrapper(file)
    raw = raw_of(first)
    end_request(first)
    seen: list[Any] = []

    def request() -> None:
        other = wrapper(file)
        seen.extend((raw_of(other), other.is_reused, count(other)))
        end_request(other)

    thread = threading.Thread(target=request)
    thread.start()
    thread.join()

    assert seen == [raw, True, 5_000]
    assert len(pool) == 1


def test_two_requests_at_once_never_share_a_connection(file: Path) -> None:
    one, two = wrapper(file), wrapper(file)
    assert raw_of(one) is not raw_of(two)
    end_request(one)
    three = wrapper(file)
    assert raw_of(three) is not raw_of(two)


def test_a_statement_that_was_not_read_to_its_end_holds_no_old_rows(file: Path) -> None:
    first = wrapper(file)
    unfinished = raw_of(first).execute("SELECT number FROM numbers")
    assert unfinished.fetchone() == (0,)
    end_request(first)
    assert len(pool) == 0

    with sqlite3.connect(file) as other:
        other.execute("DELETE FROM numbers")
    other.close()
    assert count(wrapper(file)) == 0


def test_an_open_transaction_and_a_failed_query_end_the_connection(file: Path) -> None:
    first = wrapper(file)
    raw_of(first).execute("BEGIN IMMEDIATE")
    end_request(first)
    assert len(pool) == 0
    with sqlite3.connect(file, timeout=0) as other:  # nothing holds the lock
        other.execute("DELETE FROM numbers")
    other.close()

    second = wrapper(file)
    with pytest.raises(DatabaseError), second.cursor() as cursor:
        cursor.execute("SELECT nothing FROM numbers")
    end_request(second)
    assert len(pool) == 0


def test_a_replaced_file_is_opened_again(file: Path) -> None:
    database = wrapper(file)
    assert count(database) == 5_000
    end_request(database)
    other = file.with_name("other.sqlite3")
    with sqlite3.connect(other) as raw:
        raw.execute("CREATE TABLE numbers (number INTEGER)")
    raw.close()
    for suffix in ("-wal", "-shm"):
        file.with_name(file.name + suffix).unlink(missing_ok=True)
    other.replace(file)

    assert count(database) == 0


def test_a_missing_file_is_not_read_through_an_old_connection(file: Path) -> None:
    database = wrapper(file)
    assert count(database) == 5_000
    end_request(database)
    file.rename(file.with_name("moved.sqlite3"))

    assert raw_of(database).execute("SELECT name FROM sqlite_master").fetchall() == []


def test_few_connections_are_kept_and_none_in_a_child(file: Path) -> None:
    databases = [wrapper(file) for _ in range(MAX_IDLE + 3)]
    for database in databases:
        raw_of(database)
    for database in databases:
        end_request(database)
    assert len(pool) == MAX_IDLE

    if (child := os.fork()) == 0:
        os._exit(len(pool))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(pool) == MAX_IDLE


def test_a_database_in_memory_is_not_kept() -> None:
    empty = Pool()
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    empty.give(":memory:", identity_of(":memory:"), raw)

    assert len(empty) == 0
    with pytest.raises(sqlite3.ProgrammingError):
        raw.execute("SELECT 1")


class Site:
    """A web server on a SQLite file of its own."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        self.folder, self.database = folder, folder / "ainews.sqlite3"
        self.env = environment(folder, "", SQLITE_BUSY_TIMEOUT="1")
        migrate(self.env)
        token = self.manage("shell", "-v", "0", "-c", PREPARE).strip()
        self.headers = {"Authorization": f"Bearer {token}"}
        self.port = free_port()
        self.command = [part.format(port=self.port) for part in command]

    def manage(self, *arguments: str) -> str:
        command = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self.env, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def running(self) -> Iterator[None]:
        command = [sys.executable, "-m", *self.command]
        self.web = subprocess.Popen(command, cwd=ROOT, env=self.env)
        try:
            wait_until(self.answers)
            yield
        finally:
            self.web.terminate()
            self.web.wait(30)

    def answers(self) -> bool:
        try:
            return self.titles() is not None
        except httpx.HTTPError:
            return False

    def titles(self, _: object = None) -> list[str]:
        address = f"http://127.0.0.1:{self.port}/api/v1/sources/"
        response = httpx.get(address, headers=self.headers, timeout=30)
        assert response.status_code == 200, response.text
        return [source["title"] for source in json.loads(response.text)]

    def open_files(self) -> int:
        """The number of descriptors that the server's processes have of the database."""
        pids = [self.web.pid, *_children(self.web.pid)]
        links = [link for pid in pids for link in Path(f"/proc/{pid}/fd").iterdir()]
        return sum(_target(link).startswith(str(self.database)) for link in links)


def _children(pid: int) -> list[int]:
    return [int(n) for n in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


GUNICORN = ["gunicorn", "-b", "127.0.0.1:{port}", "-k", "gthread", "--threads", "4"]
DAPHNE = ["daphne", "-v", "0", "-b", "127.0.0.1", "-p", "{port}"]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize(
    "command",
    [[*GUNICORN, "ainews_site.wsgi"], [*DAPHNE, "ainews_site.asgi:application"]],
    ids=["gunicorn", "daphne"],
)
def test_servers_keep_few_files_open_and_see_a_restore_at_once(
    command: list[str], tmp_path: Path
) -> None:
    site = Site(tmp_path, command)
    with site.running(), ThreadPoolExecutor(8) as clients:
        assert list(clients.map(site.titles, range(60))) == [["One"]] * 60
        # Each connection has a descriptor of the file and one of the WAL. SQLite closes those of
        # the file late, but uses them again.
        most = 2 * (8 + MAX_IDLE) + 1
        assert 0 < site.open_files() <= most

        with WriteLock(site.database):
            assert site.titles() == ["One"]
        site.manage("backup")
        (backup,) = (tmp_path / "backups").glob("*.sqlite3")
        site.manage("shell", "-v", "0", "-c", RENAME)
        assert site.titles() == ["Renamed"]
        site.manage("restore", str(backup), "--replace")
        assert list(clients.map(site.titles, range(12))) == [["One"]] * 12

        site.manage("shell", "-v", "0", "-c", RENAME)
        copy = tmp_path / "copy.sqlite3"
        shutil.copy(backup, copy)
        copy.replace(site.database)
        for suffix in ("-wal", "-shm"):
            (tmp_path / f"ainews.sqlite3{suffix}").unlink(missing_ok=True)
        assert list(clients.map(site.titles, range(120))) == [["One"]] * 120
        assert site.open_files() <= most
