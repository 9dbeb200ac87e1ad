"""Migrations between real databases are complete, verified, and resume after interruptions."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from hashlib import blake2b
from pathlib import Path

import pytest

from tests.prepared import migrated_sqlite, prepared
from tests.services import PgBouncer, Postgres, Redis, free_place

ROOT = Path(__file__).resolve().parents[3]
ITEMS = 400
PREPARE = """
import sys, django
django.setup()
from datetime import UTC, datetime, timedelta
from django.contrib.sessions.backends.db import SessionStore
from django.utils import timezone
from digests.models import Digest
from feeds.models import Item, ItemBody, ItemKey, ItemState, Lease, Story
from tests.make import make_item, make_source, make_story, make_user
from ainews_site.queue.schedules import ensure_schedules

ensure_schedules()
user = make_user("ada", interests={"chips": 0.5, "policy": 2}, last_login=None)
user.set_password("a secret")
user.save()
sources = [make_source(f"outlet{n}", reader=user, weight=0.1 * n) for n in range(4)]
now = datetime(2026, 5, 17, 12, 30, 1, 250, tzinfo=UTC)
text = "A tab\\t, a line\\n, a \\\\ backslash \\\\N, ünïcode 🚀 and a NUL\\0."
items = [
    make_item(
        sources[n % 4], f"Telling {n} of zanzibar", text=f"{text} {n}", topics=["a", {"b": 1.5}],
        published=now - timedelta(days=n, microseconds=n % 3 * 1000),
        language="de" if n % 2 else "",
        updated_at=None if n % 2 else now,
    )
    for n in range(int(sys.argv[1]))
]
make_story(*items[:3])
ItemState.objects.create(user=user, item=items[5], is_saved=True, changed_at=now)
Digest.objects.create(user=user, date=now.date(), content={"sections": [], "score": 1e-7})
SessionStore().create()
rows = int(sys.argv[2])
ItemKey.objects.bulk_create(
    [ItemKey(source=sources[0], key_hash=-n, alt_hash=n) for n in range(1, rows + 1)], 5000
)
"""
LOOK = """
import json, django
django.setup()
from django.test import Client
from accounts.models import User
from digests.models import Digest
from feeds.models import Item, ItemBody, ItemKey, ItemState, Source
from feeds.core.partitions import spans, rows_in_default
from feeds.search.run import search_items
user = User.objects.get()
item = Item.objects.select_related("source", "body").order_by("-id")[5]
state = ItemState.objects.get()
before = ItemKey.objects.order_by("-seq").first().seq
print(json.dumps({
    "password": user.check_password("a secret"),
    "interests": user.interests,
    "counts": [model.objects.count() for model in (Item, ItemBody, Source, ItemState)],
    "item": [str(item.pk), item.title, item.topics, str(item.published_at), str(item.updated_at),
             item.body.text, item.source.weight, str(state.changed_at), state.is_saved],
    "digest": [Digest.objects.get().content, str(Digest.objects.get().date)],
    "next": ItemKey.objects.create(source_id=item.source_id, key_hash=7, alt_hash=7).seq - before,
    "sources": Source.objects.create(url="https://new.example/feed").pk,
    "found": search_items(user, "zanzibar ünïcode").found,
    "strays": rows_in_default(),
    "partitions": len(spans()) > 10,
}))
"""


def manage(
    data: Path, *arguments: str, database: str = "", redis: str = ""
) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=ROOT,
        env=os.environ
        | {
            "DATA": str(data),
            "DATABASE_URL": database,
            "REDIS_URL": redis,
            "DJANGO_SETTINGS_MODULE": "ainews_site.settings",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def end(process: "subprocess.Popen[str]") -> tuple[int, str]:
    said, errors = process.communicate(timeout=280)
    return process.returncode, said + errors


UNREAD = """
import sys, django
django.setup()
from accounts.models import User
from feeds.models import Source
from feeds.reading.unread import unread_counts
from feeds.search.run import search_items
from tests.make import make_item
user = User.objects.get()
for n in range(int(sys.argv[1])):
    make_item(Source.objects.first(), f"New {n} of zanzibar")
print(sum(unread_counts(user).values()), search_items(user, "zanzibar").found)
"""


def unread(data: Path, database: str, redis: str, new: int = 0) -> list[int]:
    """Return the numbers of unread and of found items after new ones were stored."""
    status, said = end(manage(data, "-c", UNREAD, str(new), database=database, redis=redis))
    assert status == 0, said
    return [int(part) for part in said.split()]


def made(data: Path, items: int, keys: int) -> Path:
    """Return a SQLite database with these rows: a copy of the first that was made."""
    first = prepared(f"source-{items}-{keys}", lambda data: _make(data, items, keys))
    return Path(shutil.copy(first / "ainews.sqlite3", data))


def _make(data: Path, items: int, keys: int) -> None:
    shutil.copy(migrated_sqlite(), data)
    status, said = end(manage(data, "-c", PREPARE, str(items), str(keys)))
    assert status == 0, said
    with sqlite3.connect(data / "ainews.sqlite3") as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def content(path: Path) -> bytes:
    return blake2b(path.read_bytes()).digest()


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("source"), ITEMS, 0)


@pytest.fixture
def target(postgres: Postgres, request: pytest.FixtureRequest) -> Iterator[str]:
    """Return the URL of an empty database."""
    name = "moved"
    postgres.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    postgres.sql(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def move(data: Path, origin: Path | str, goal: str) -> tuple[int, str]:
    return end(forth(data, origin, goal))


def forth(data: Path, origin: Path | str, goal: str) -> "subprocess.Popen[str]":
    address = f"sqlite:///{origin}"
    return manage(data, "manage.py", "migrate_to_postgres", "--from", address, "--to", goal)


def test_all_data_survives_a_migration_there_and_back(
    source: Path, target: str, tmp_path: Path
) -> None:
    before = content(source)
    expected = look(tmp_path, f"sqlite:///{copy(source, tmp_path)}")
    status, said = move(tmp_path, source, target)
    assert status == 0, said
    assert "counts and contents are the same" in said
    assert "written to meanwhile" not in said
    assert f"DATABASE_URL={target}" in said
    assert content(source) == before

    back = tmp_path / "back.sqlite3"
    status, said = end(
        manage(
            tmp_path,
            *("manage.py", "migrate_to_sqlite", "--from", target, "--to", f"sqlite:///{back}"),
        )
    )
    assert status == 0, said
    assert look(tmp_path, target) == expected | {"partitions": True}
    assert look(tmp_path, f"sqlite:///{back}") == expected
    assert expected["found"] == ITEMS
    with sqlite3.connect(back) as ours, sqlite3.connect(source) as theirs:
        made = "SELECT name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite%' ORDER BY name"
        assert ours.execute(made).fetchall() == theirs.execute(made).fetchall()
        assert ours.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


def look(folder: Path, database: str) -> dict[str, object]:
    """Return what the program sees in a database. Adds a source and a row of the ledger."""
    status, said = end(manage(folder, "-c", LOOK, database=database))
    assert status == 0, said
    return json.loads(said)  # type: ignore[no-any-return]


def copy(source: Path, folder: Path) -> Path:
    """A copy that the test may write to, without NUL, which PostgreSQL cannot store."""
    path = folder / "copy.sqlite3"
    with closing(sqlite3.connect(source)) as one, closing(sqlite3.connect(path)) as other:
        one.backup(other)
        other.create_function("without_nul", 1, lambda text: text.replace("\0", ""))
        other.execute("UPDATE feeds_itembody SET text = without_nul(text)")
        other.commit()
    return path


def test_cached_values_of_the_source_are_not_used_for_the_target(
    source: Path, target: str, redis: Redis, tmp_path: Path
) -> None:
    """The source is used further on, and both databases continue from the same ledger number."""
    origin = copy(source, tmp_path)
    before = unread(tmp_path, f"sqlite:///{origin}", "")
    status, said = move(tmp_path, origin, target)
    assert status == 0, said

    assert unread(tmp_path, f"sqlite:///{origin}", redis.url, 4) == [n + 4 for n in before]

    assert unread(tmp_path, target, redis.url) == before


def test_a_migration_resumes_after_kills(postgres: Postgres, target: str, tmp_path: Path) -> None:
    origin = made(tmp_path, 60, 150_000)
    kills = 0
    for least, later in ((0, 0.3), (1, 0), (50_000, 0), (100_000, 0), (150_000, 0.3)):
        process = forth(tmp_path, origin, target)
        while process.poll() is None and keys_there(postgres) < least:
            time.sleep(0.02)
        time.sleep(later)
        process.kill()
        process.communicate(timeout=30)  # whoever works for it ends as well
        kills += process.returncode == -signal.SIGKILL
        if least == 1:  # written to in between: what differs is found and copied again
            with sqlite3.connect(origin) as database:
                database.execute("UPDATE feeds_source SET title = 'Changed'")
                database.execute("UPDATE feeds_itemkey SET alt_hash = 5 WHERE key_hash = -9")
    status, said = move(tmp_path, origin, target)
    assert status == 0, said
    assert kills > 2
    rows = "SELECT count(*), sum(key_hash), sum(alt_hash) FROM feeds_itemkey"
    with sqlite3.connect(origin) as database:
        expected = "|".join(map(str, database.execute(rows).fetchone()))
    assert postgres.sql(rows, "moved").strip() == expected
    assert postgres.sql("SELECT DISTINCT title FROM feeds_source", "moved").strip() == "Changed"
    assert postgres.sql("SELECT count(*) FROM feeds_search", "moved").strip() == "60"
    tables = "SELECT count(*) FROM pg_tables WHERE tablename = 'ainews_transfer'"
    assert postgres.sql(tables, "moved").strip() == "0"
    assert schema(postgres, "moved") == fresh_schema(postgres)


def keys_there(postgres: Postgres) -> int:
    """Return the number of copied rows of the ledger, or -1 without the table."""
    is_there = postgres.sql("SELECT to_regclass('feeds_itemkey')", "moved")
    return int(postgres.sql("SELECT count(*) FROM feeds_itemkey", "moved")) if is_there else -1


def schema(postgres: Postgres, name: str) -> str:
    """Return the definitions of indexes and references."""
    return postgres.sql(
        "SELECT indexdef FROM pg_indexes WHERE tablename !~ '_(20[0-9_]+|default)$'"
        " AND schemaname = 'public' UNION SELECT conrelid::regclass || pg_get_constraintdef(oid)"
        " FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 ORDER BY 1",
        name,
    )


def fresh_schema(postgres: Postgres) -> str:
    postgres.migrated("fresh")
    found = schema(postgres, "fresh")
    postgres.sql("DROP DATABASE fresh WITH (FORCE)")
    return found


def test_a_target_in_use_is_refused(
    source: Path, postgres: Postgres, target: str, tmp_path: Path
) -> None:
    assert move(tmp_path, source, target)[0] == 0
    users = postgres.sql("SELECT count(*) FROM accounts_user", "moved")
    status, said = move(tmp_path, source, target)
    assert status == 1
    assert "The target is not empty" in said
    assert "nothing was changed" in said
    assert postgres.sql("SELECT count(*) FROM accounts_user", "moved") == users


@pytest.mark.parametrize(
    ("origin", "goal", "expected"),
    [
        ("sqlite:////nowhere/news.sqlite3", "", "file not found: /nowhere/news.sqlite3"),
        ("mysql://localhost/news", "", "--from is not a SQLite URL"),
        ("", "sqlite:///x.sqlite3", "direction use manage.py migrate_to_sqlite"),
        ("{target}", "", "direction use manage.py migrate_to_sqlite"),
        ("", "{pooled}", "--to is the address of a connection pooler such as PgBouncer"),
        ("", "postgres://ainews@127.0.0.1:1/news", "PostgreSQL does not answer at 127.0.0.1:1"),
        ("", "postgres://ainews@127.0.0.1:1/news", "Is it running? Check --to. The source"),
        ("", "{target}_missing", "createdb moved_missing"),
        ("", "nonsense", "--to is not a PostgreSQL URL; see --help."),
        ("EMPTY", "", "not an AI News database"),
        ("OLD", "", "Run manage.py migrate on it first"),
        ("TEXT", "", "is damaged or not a SQLite database"),
    ],
)
def test_an_impossible_migration_is_explained(
    origin: str,
    goal: str,
    expected: str,
    source: Path,
    target: str,
    pgbouncer: PgBouncer,
    tmp_path: Path,
) -> None:
    given = tmp_path / "given.sqlite3"
    if origin == "EMPTY":
        sqlite3.connect(given).execute("CREATE TABLE x (y)")
    elif origin == "OLD":
        copy(source, tmp_path).rename(given)
        with sqlite3.connect(given) as database:
            database.execute("DELETE FROM django_migrations WHERE app = 'digests'")
    elif origin == "TEXT":
        given.write_text("This is no database. " * 100)
    if origin.isupper():
        origin = f"sqlite:///{given}"
    status, said = end(
        manage(
            tmp_path,
            "manage.py",
            "migrate_to_postgres",
            *("--from", origin.format(target=target) or f"sqlite:///{source}"),
            *("--to", goal.format(target=target, pooled=pgbouncer.url("moved")) or target),
        )
    )
    assert status == 1
    assert expected in said
    assert not any(odd in said for odd in ("Traceback", "Warning", "?.", ".."))


def test_a_file_that_cannot_be_created_is_explained(
    source: Path, target: str, tmp_path: Path
) -> None:
    assert move(tmp_path, source, target)[0] == 0
    goal = ("--to", "sqlite:////nowhere/news.sqlite3")
    status, said = end(manage(tmp_path, "manage.py", "migrate_to_sqlite", "--from", target, *goal))
    assert status == 1
    assert "folder exists and is writable. The source was not changed" in said


def test_the_message_names_the_setting_used_for_a_missing_option(tmp_path: Path) -> None:
    goal = ("--to", f"sqlite:///{tmp_path}/new.sqlite3")
    status, said = end(manage(tmp_path, "manage.py", "migrate_to_sqlite", *goal))
    assert status == 1
    assert "DATABASE_URL (used because --from is missing) is a SQLite URL" in said


def test_a_full_disk_loses_nothing(source: Path, target: str, tmp_path: Path) -> None:
    """Migrate to a file on a full disk: it is reported, and resumes when there is space."""
    assert move(tmp_path, source, target)[0] == 0
    with free_place(2 * 2**20) as (folder, grow):
        command = ("manage.py", "migrate_to_sqlite", "--from", target)
        goal = f"sqlite:///{folder / 'back.sqlite3'}"
        status, said = end(manage(tmp_path, *command, "--to", goal))
        assert status == 1
        assert "The disk of the database is full" in said
        assert "Run the same command again to resume" in said
        grow(64 * 2**20)
        status, said = end(manage(tmp_path, *command, "--to", goal))
        assert status == 0, said
        with sqlite3.connect(folder / "back.sqlite3") as database:
            assert database.execute("SELECT count(*) FROM feeds_item").fetchone() == (ITEMS,)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database whose migration takes some seconds."""
    return made(tmp_path_factory.mktemp("large"), 20, 200_000)


def test_a_migration_resumes_after_the_target_was_down(large: Path, tmp_path: Path) -> None:
    before = content(large)
    with Postgres() as server:
        server.sql("CREATE DATABASE moved")
        process = forth(tmp_path, large, server.url("moved"))
        while process.poll() is None and keys_there(server) < 20_000:
            time.sleep(0.02)
        server.kill()
        status, said = end(process)
        assert status == 1
        assert "was lost" in said or "does not answer" in said
        assert "The source was not changed. Run the same command again to resume." in said
        assert "Traceback" not in said
        server.start()
        status, said = end(forth(tmp_path, large, server.url("moved")))
        assert status == 0, said
        assert "Resuming where the last run stopped." in said
        assert keys_there(server) == 200_020
    assert content(large) == before


def test_a_source_that_changed_meanwhile_is_reported(
    large: Path, postgres: Postgres, target: str, tmp_path: Path
) -> None:
    origin = copy(large, tmp_path)
    with closing(sqlite3.connect(origin)) as database:
        database.execute("PRAGMA journal_mode = WAL")  # as AI News has it: nobody waits
    process = forth(tmp_path, origin, target)
    while process.poll() is None and keys_there(postgres) < 5_000:
        time.sleep(0.02)
    with closing(sqlite3.connect(origin, timeout=60)) as database:
        database.execute("UPDATE feeds_source SET title = 'Later'")
        database.commit()
    status, said = end(process)
    assert status == 0, said
    assert "The source changed during the migration" in said
    assert postgres.sql("SELECT count(*) FROM feeds_source WHERE title = 'Later'", "moved") == "0"


@pytest.mark.parametrize("size", [16, 28])
def test_a_full_disk_of_postgresql_loses_nothing(
    large: Path, postgres: Postgres, tmp_path: Path, size: int
) -> None:
    """The disk fills up while rows are copied, or while indexes are created."""
    before = content(large)
    with free_place(size * 2**20) as (folder, grow):
        shutil.chown(folder, "postgres")
        postgres.sql(f"CREATE TABLESPACE small LOCATION '{folder}'")
        postgres.sql("CREATE DATABASE moved TABLESPACE small")
        try:
            status, said = move(tmp_path, large, postgres.url("moved"))
            assert status == 1
            assert "The disk of the database is full" in said
            assert "Run the same command again to resume" in said
            assert "Traceback" not in said
            grow(256 * 2**20)
            status, said = move(tmp_path, large, postgres.url("moved"))
            assert status == 0, said
            assert keys_there(postgres) == 200_020
        finally:
            postgres.sql("DROP DATABASE moved WITH (FORCE)")
            postgres.sql("DROP TABLESPACE small")
    assert content(large) == before
