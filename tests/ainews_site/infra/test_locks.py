"""SQLite's write lock: what needs it, and what waits for it how long; and a row of PostgreSQL that
is locked. In databases of their own, as that of the tests is in memory."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from django.db import OperationalError

from ainews_site.infra.sqlite_lock import is_locked
from tests.services import Postgres
from tests.workers import ROOT, environment, migrate

BEGIN = """
import json, sqlite3, sys, threading, time
import django
django.setup()
from django.conf import settings
from django.db import OperationalError, connection

def lock():
    holder = sqlite3.connect(settings.DATABASES["default"]["NAME"], isolation_level=None,
                             timeout=60, check_same_thread=False)
    holder.execute("BEGIN IMMEDIATE")
    return holder

def timed(what):
    started = time.monotonic()
    result = what()
    return result, time.monotonic() - started
"""


def run(folder: Path, script: str, **more: str) -> dict[str, object]:
    """Run a script with Django and the database in `folder`, and return what it prints."""
    env = environment(folder, "", SQLITE_BUSY_TIMEOUT="1") | more
    command = [sys.executable, "-c", BEGIN + script]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    said: dict[str, object] = json.loads(done.stdout)
    return said


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    migrate(environment(folder, ""))
    return folder


def test_a_new_file_shrinks_in_steps_and_lets_readers_pass_writers(folder: Path) -> None:
    script = """
with connection.cursor() as cursor:
    found = {}
    for name in ("auto_vacuum", "journal_mode", "foreign_keys", "busy_timeout"):
        cursor.execute(f"PRAGMA {name}")
        found[name] = cursor.fetchone()[0]
print(json.dumps(found))
"""
    assert run(folder, script) == {
        "auto_vacuum": 2,
        "journal_mode": "wal",
        "foreign_keys": 1,
        "busy_timeout": 1000,
    }


def test_connecting_and_reading_need_no_lock(folder: Path) -> None:
    script = """
from accounts.models import User
holder = lock()
def read():
    connection.close()
    return User.objects.count()
_, seconds = timed(read)
print(json.dumps({"seconds": seconds}))
"""
    assert run(folder, script)["seconds"] < 0.5  # type: ignore[operator]


def test_each_kind_of_work_has_its_own_time_out(folder: Path) -> None:
    """These are requests and commands, optional writes of pages, and tasks of workers."""
    script = """
from django_q.signals import post_spawn
from ainews_site.infra.deferred_writes import write_if_free
from accounts.models import User
from ainews_site.infra.sqlite_lock import busy_timeout, holds_write_lock, is_locked

def write():
    try:
        User.objects.create(username=str(time.monotonic()))
    except OperationalError as error:
        return is_locked(error)
    return "written"

holder = lock()
found = {"request": timed(write), "free": timed(lambda: write_if_free(write)),
         "held": timed(holds_write_lock)}
with busy_timeout(0.2):
    found["short"] = timed(write)
found["request again"] = timed(write)
connection.close()
post_spawn.send(sender="django_q", proc_name="worker")
threading.Timer(3, lambda: holder.execute("ROLLBACK")).start()
found["task"] = timed(write)
found["held in the end"] = timed(holds_write_lock)
print(json.dumps(found))
"""
    found = run(folder, script)

    def said(name: str, least: float, most: float) -> object:
        answer, seconds = found[name]  # type: ignore[misc]
        assert least <= seconds < most, (name, seconds)
        return answer

    assert said("request", 0.9, 2.5) is True
    assert said("free", 0.2, 0.9) is False
    assert said("held", 0, 0.2) is True
    assert said("short", 0.15, 0.9) is True
    assert said("request again", 0.9, 2.5) is True
    assert said("task", 2.5, 6) == "written"
    assert said("held in the end", 0, 0.2) is False


def test_deferred_writes_are_done_once_and_in_order(folder: Path) -> None:
    script = """
from ainews_site.infra.deferred_writes import deferred
from accounts.models import User

done = []
def write(name):
    User.objects.create(username=name)
    done.append(name)
    if name == "broken":
        raise ValueError("of a kind that nobody foresaw")

holder = lock()
before, first = timed(lambda: deferred.do("a", lambda: write("first")))
_, second = timed(lambda: deferred.do("b", lambda: write("second")))
deferred.do("b", lambda: write("second again"))
deferred.do("c", lambda: write("broken"))
deferred.do("d", lambda: write("last"))
is_flushed, waited = timed(lambda: deferred.flush(0.5))
holder.execute("ROLLBACK")
after = deferred.flush(20)
at_once = deferred.do("e", lambda: write("afterwards"))
print(json.dumps({"before": before, "first": first, "second": second, "is_flushed": is_flushed,
    "waited": waited, "after": after, "done": done, "at_once": at_once,
    "left": len(deferred), "threads": threading.active_count()}))
"""
    found = run(folder, script)
    assert found.pop("first") < 1  # type: ignore[operator]
    assert found.pop("second") < 0.1  # type: ignore[operator]
    assert 0.4 < found.pop("waited") < 1  # type: ignore[operator]
    assert found.pop("threads") <= 2  # type: ignore[operator]
    assert found == {
        "before": False,
        "is_flushed": False,
        "after": True,
        "done": ["first", "second", "broken", "last", "afterwards"],
        "at_once": True,
        "left": 0,
    }


def test_deferred_writes_are_done_when_the_process_exits(folder: Path) -> None:
    script = """
from ainews_site.infra.deferred_writes import deferred
from accounts.models import User
holder = lock()
deferred.do("a", lambda: User.objects.create(username="late"))
threading.Timer(1, lambda: holder.execute("ROLLBACK")).start()
print("{}")
"""
    run(folder, script)
    count = "from accounts.models import User; print(User.objects.filter(username='late').count())"
    assert run(folder, count) == 1


def test_a_change_is_made_after_the_deferred_writes(folder: Path) -> None:
    """An item that is opened while the lock is held and then marked unread stays unread."""
    script = """
from django.test import Client
from accounts.models import User
from feeds.models import ItemState
from tests.make import make_item, make_source, make_user

user = make_user("orderly")
item = make_item(make_source("orderly", reader=user))
client = Client(SERVER_NAME="localhost")
client.force_login(user)
holder = lock()
opened = client.get(f"/item/{item.pk}/").status_code
threading.Timer(0.5, lambda: holder.execute("ROLLBACK")).start()
marked = client.post(f"/item/{item.pk}/state/", {"read": "0"}).status_code
state = ItemState.objects.get(user=user)
print(json.dumps([opened, marked, state.is_read, state.is_opened]))
"""
    assert run(folder, script) == [200, 302, False, True]


def test_a_session_that_could_not_be_saved_counts_as_a_lock(folder: Path) -> None:
    """Django would answer 400, as if the reader had signed out meanwhile."""
    script = """
from django.contrib.sessions.backends.base import UpdateError
from accounts.sessions import SessionStore
from ainews_site.infra.sqlite_lock import is_locked

session = SessionStore()
session["a"] = 1
session.create()
session["a"] = 2
holder = lock()
try:
    session.save()
except OperationalError as error:
    locked = is_locked(error)
holder.execute("ROLLBACK")
session.save()
SessionStore(session.session_key).delete()
try:
    session.save()
except UpdateError:
    deleted = True
print(json.dumps([locked, deleted]))
"""
    assert run(folder, script) == [True, True]


def test_messages_wait_for_the_lock_instead_of_ending_the_process(folder: Path) -> None:
    script = """
from django_q.brokers import get_broker
from django_q.models import OrmQ

broker = get_broker()
message = broker.enqueue("payload")
holder = lock()
taken, seconds = timed(broker.dequeue)
threading.Timer(2, lambda: holder.execute("ROLLBACK")).start()
_, deleting = timed(lambda: broker.acknowledge(message))
print(json.dumps([taken, seconds < 4, deleting > 1, OrmQ.objects.count()]))
"""
    assert run(folder, script, LOG_LEVEL="ERROR") == [None, True, True, 0]


def test_a_locked_row_of_postgresql_does_not_block_a_page(
    postgres: Postgres, tmp_path: Path
) -> None:
    """The row of the reader is locked, which each of their actions changes."""
    script = """
import psycopg
from django.test import Client
from ainews_site.infra.deferred_writes import deferred
from accounts.models import User
from feeds.models import ItemState
from tests.make import make_item, make_source, make_user

user = make_user("locked")
item = make_item(make_source("locked", reader=user))
client = Client(SERVER_NAME="localhost")
client.force_login(user)
client.get("/river/")
with psycopg.connect(settings.DATABASE_URL) as holder:
    holder.execute("SELECT 1 FROM accounts_user FOR UPDATE")
    opened, seconds = timed(lambda: client.get(f"/item/{item.pk}/").status_code)
    before = ItemState.objects.count()
is_flushed = deferred.flush(20)
state = ItemState.objects.get(user=user)
print(json.dumps([opened, seconds < 2, before, is_flushed, state.is_read]))
"""
    url = postgres.migrated("locked_row")
    assert run(tmp_path, script, DATABASE_URL=url) == [200, True, 0, True, True]


def test_other_errors_do_not_count_as_locks() -> None:
    assert not is_locked(None)
    assert not is_locked(ValueError("database is locked"))
    assert not is_locked(OperationalError("no such table"))
