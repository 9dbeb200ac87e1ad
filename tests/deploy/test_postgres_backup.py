"""The scripts and units of deploy/ that back up PostgreSQL and restore it to any moment."""

import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.drill.site import DEPLOY, commands_of, receiving_log, servant
from benchmarks.scale import PersistentPostgres
from tests.services import Postgres, is_root_or_alone, missing

pytestmark = pytest.mark.skipif(
    bool(missing()) or not is_root_or_alone(), reason="PostgreSQL is not installed"
)


@pytest.fixture
def primary() -> Iterator[Postgres]:
    with Postgres(wal_level="replica", max_wal_senders="5", synchronous_commit="on") as server:
        server.sql("CREATE TABLE writes (n int)")
        yield server


@pytest.fixture
def backup(primary: Postgres) -> dict[str, str]:
    """The variables of postgres-backup.env."""
    folder = primary.folder / "backup"
    return {
        "BACKUP": str(folder),
        "KEEP": "2",
        "PGHOST": "127.0.0.1",
        "PGPORT": str(primary.port),
        "PGUSER": "ainews",
    }


def run(name: str, environment: dict[str, str], *arguments: str) -> tuple[int, str]:
    done = subprocess.run(
        ["/bin/sh", str(DEPLOY / name), *arguments],
        env=environment | {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"},
        user=servant(),
        cwd="/",
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


_restored: list[PersistentPostgres] = []


@pytest.fixture(autouse=True)
def ended() -> Iterator[None]:
    yield
    while _restored:
        _restored.pop().kill()


def restored(primary: Postgres, backup: dict[str, str], *moment: str) -> PersistentPostgres:
    """A server whose data directory was lost and prepared by the script."""
    folder = primary.folder / "restored"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    if user := servant():
        shutil.chown(folder, user)
    server = PersistentPostgres(folder, **primary.options)
    status, message = run("postgres-restore.sh", backup, str(server.data), *moment)
    assert status == 0, message
    _restored.append(server)
    server.start()
    wait_for(lambda: server.sql("SELECT pg_is_in_recovery()") == "f")
    return server


def wait_for(is_so: object, seconds: float = 60) -> None:
    assert callable(is_so)
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.mark.slow
def test_a_lost_server_is_restored_to_its_last_write_and_to_any_moment(
    primary: Postgres, backup: dict[str, str]
) -> None:
    with receiving_log(backup):
        status, message = run("postgres-base-backup.sh", backup)
        assert status == 0 and "verified" in message
        primary.sql("INSERT INTO writes VALUES (1)")
        time.sleep(1.1)  # backups are named by the second
        moment = primary.sql("SELECT clock_timestamp()")
        time.sleep(0.05)
        primary.sql("INSERT INTO writes VALUES (2)")
        received = "SELECT flush_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
        wait_for(lambda: primary.sql(received) == "t")
        primary.kill()
    shutil.rmtree(primary.data)

    server = restored(primary, backup, moment)
    assert server.sql("SELECT n FROM writes") == "1"
    server.stop()
    server = restored(primary, backup)
    assert server.sql("SELECT n FROM writes ORDER BY n") == "1\n2"

    # A standby of the restored server is promoted with what it has received itself.
    assert "restore" not in (server.data / "postgresql.auto.conf").read_text()
    again = backup | {"PGPORT": str(server.port), "KEEP": "1"}
    with Postgres(standby_of=server) as standby:
        server.sql("CREATE TABLE more AS SELECT generate_series(1, 50000) AS n")
        wait_for(lambda: standby.sql("SELECT to_regclass('more')") == "more")
        server.stop()
        standby.tool("pg_ctl", "promote", "-D", str(standby.data))
        assert standby.sql("SELECT count(*) FROM more") == "50000"
    server.start()

    # The log goes on in the same folder, and the restored server has a base backup of its own.
    with receiving_log(again):
        status, message = run("postgres-base-backup.sh", again)
        assert status == 0, message
        server.sql("INSERT INTO writes VALUES (3)")
        wait_for(lambda: server.sql(received) == "t")
    server.kill()
    server = restored(primary, again)
    assert server.sql("SELECT n FROM writes ORDER BY n") == "1\n2\n3"
    server.stop()


def test_a_gap_in_the_log_is_refused(primary: Postgres, backup: dict[str, str]) -> None:
    wal = Path(backup["BACKUP"], "wal")
    with receiving_log(backup):
        assert run("postgres-base-backup.sh", backup)[0] == 0
        for number in range(4):
            primary.sql(f"INSERT INTO writes VALUES ({number})")
            primary.sql("SELECT pg_switch_wal()")
        primary.sql("INSERT INTO writes VALUES (4)")
        received = "SELECT flush_lsn >= pg_current_wal_lsn() FROM pg_stat_replication"
        wait_for(lambda: primary.sql(received) == "t")
        primary.kill()
    missing_one = sorted(file for file in wal.iterdir() if len(file.name) == 24)[-2]
    missing_one.unlink()
    new = str(primary.folder / "new")

    status, message = run("postgres-restore.sh", backup, new)

    assert status == 1
    assert f"ends in {missing_one.name[8:]} is missing" in message
    assert not Path(new).exists()
    assert run("postgres-restore.sh", backup | {"IGNORE_GAP": "yes"}, new)[0] == 0


def test_old_backups_and_their_log_are_removed(primary: Postgres, backup: dict[str, str]) -> None:
    base, wal = (Path(backup["BACKUP"], name) for name in ("base", "wal"))
    with receiving_log(backup):
        for _ in range(3):
            status, message = run("postgres-base-backup.sh", backup)
            assert status == 0, message
            primary.sql("SELECT pg_switch_wal()")
            time.sleep(1.1)  # backups are named by the second

    kept = sorted(base.iterdir())
    assert len(kept) == 2
    label = (kept[0] / "backup_label").read_text()
    first = label.partition("(file ")[2][:24]
    assert min(file.name for file in wal.iterdir()) >= first


def test_the_scripts_refuse_what_would_lose_data(primary: Postgres, backup: dict[str, str]) -> None:
    status, message = run("postgres-restore.sh", backup, str(primary.data))
    assert (status, "is not empty" in message) == (1, True)

    status, message = run("postgres-restore.sh", backup, str(primary.folder / "new"))
    assert (status, "has no base backup" in message) == (1, True)

    assert run("postgres-base-backup.sh", backup | {"KEEP": "0"})[0] == 1
    status, message = run("postgres-base-backup.sh", {})
    assert status != 0 and "BACKUP" in message


def test_a_damaged_base_backup_is_refused(primary: Postgres, backup: dict[str, str]) -> None:
    assert run("postgres-base-backup.sh", backup)[0] == 0
    (base,) = Path(backup["BACKUP"], "base").iterdir()
    (base / "PG_VERSION").write_text("16\n")

    status, message = run("postgres-restore.sh", backup, str(primary.folder / "new"))

    assert status != 0 and "PG_VERSION" in message
    assert not (primary.folder / "new").exists()


def test_the_units_run_the_scripts() -> None:
    (command,) = commands_of("ainews-base-backup.service", {})
    assert command == ["/bin/sh", "/opt/ainews/app/deploy/postgres-base-backup.sh"]
    assert (DEPLOY / "postgres-base-backup.sh").stat().st_mode & 0o111
    names = {
        line.partition("=")[0] for line in (DEPLOY / "postgres-backup.env").read_text().split()
    }
    assert {"BACKUP", "KEEP", "PGHOST", "PGPORT", "PGUSER"} <= names
