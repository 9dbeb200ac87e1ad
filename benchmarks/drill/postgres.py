"""The loss of a PostgreSQL with a million items: by base backup and log, and by a standby."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from benchmarks.drill.report import Result
from benchmarks.drill.site import (
    Pages,
    find_readers,
    judge,
    manage,
    own_folder,
    receiving_log,
    run_script,
    set_environment,
    timed,
)
from benchmarks.drill.tables import Digests, differences, of_postgres
from benchmarks.drill.writers import Reader, Writers
from benchmarks.scale import SAFE, PersistentPostgres
from benchmarks.served import PRODUCT, gunicorn
from tests.services import Redis

SETTINGS = SAFE | {
    "wal_level": "replica",
    "max_wal_senders": "10",
    "shared_buffers": "512MB",
    "max_wal_size": "4GB",
    "hot_standby": "on",
    "wal_keep_size": "512MB",
    "max_slot_wal_keep_size": "10GB",
}
"""What docs/disaster-recovery.md recommends, beside the usual memory."""
WRITES_BEFORE = 10.0
"""Seconds of writes between the base backup and the loss."""


class Standby(PersistentPostgres):
    def __init__(self, folder: Path, primary: PersistentPostgres) -> None:
        super().__init__(folder, **SETTINGS)
        self.primary = primary


@dataclass
class World:
    """The servers of the drill."""

    primary: PersistentPostgres
    standby: Standby
    backup: Path
    readers: list[Reader] = field(default_factory=list)
    before: Digests = field(default_factory=dict)

    @property
    def connection(self) -> dict[str, str]:
        """The variables of postgres-backup.env."""
        return {
            "BACKUP": str(self.backup),
            "KEEP": "1",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.primary.port),
            "PGUSER": "ainews",
        }

    @property
    def writers(self) -> list[int]:
        return [reader.pk for reader in self.readers]

    def saved(self, server: PersistentPostgres) -> set[tuple[int, int]]:
        with psycopg.connect(server.url()) as connection:
            rows = connection.execute(
                "SELECT user_id, item_id FROM feeds_itemstate WHERE is_saved AND user_id = ANY(%s)",
                [self.writers],
            )
            return set(rows.fetchall())

    def check(self, result: Result, server: PersistentPostgres) -> None:
        with timed(result.steps, "[compared all tables"):
            result.problems += differences(self.before, of_postgres(server.url(), self.writers))


def drill(library: Path, work: Path) -> Iterator[Result]:
    """Lose the copy of `library` twice. Yields a result each."""
    with ExitStack() as stack:
        world, address = _start(library, work, stack)
        with Writers(address, world.readers, work / "acknowledged.jsonl") as writers:
            yield from _by_backup(world, writers, address, stack)
            yield _by_standby(world, writers, address)
        if unexpected := writers.errors.keys() - {"503", "500"}:
            print(f"Writers also saw {unexpected}.")


def _start(library: Path, work: Path, stack: ExitStack) -> tuple[World, str]:
    primary = PersistentPostgres(own_folder(work / "primary"), **SETTINGS)
    subprocess.run(["cp", "-a", "--reflink=auto", str(library), str(primary.data)], check=True)
    stack.enter_context(primary)
    standby = Standby(own_folder(work / "standby"), primary)
    stack.enter_context(standby)
    world = World(primary, standby, own_folder(work / "backup"))
    redis = stack.enter_context(Redis())
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    set_environment(
        work / "data",
        f"postgres://ainews@{hosts}/ainews?target_session_attrs=read-write",
        DATABASE_REPLICA_URLS=standby.url(),
        REDIS_URL=redis.url,
        SECRET_KEY="the secret key of the drill",
    )
    manage("migrate", "-v0")
    world.readers = find_readers()
    world.before = of_postgres(primary.url(), world.writers)
    rows = sum(count for count, _ in world.before.values())
    size = primary.sql("SELECT pg_size_pretty(pg_database_size('ainews'))")
    print(f"{world.before['feeds_item'][0]:,} items, {rows:,} rows in all, {size}.", flush=True)
    port, _ = stack.enter_context(gunicorn(os.cpu_count() or 1, PRODUCT))
    return world, f"http://127.0.0.1:{port}"


def _by_backup(world: World, writers: Writers, address: str, stack: ExitStack) -> Iterator[Result]:
    """Base backup and log: the data directory is deleted, and restored in its place."""
    result = Result("PostgreSQL lost: base backup and log", 0)
    primary = world.primary
    with receiving_log(world.connection):
        with timed(result.steps, "[base backup, verified"):
            run_script("postgres-base-backup.sh", world.connection)
        time.sleep(WRITES_BEFORE)
        with Pages(address, world.readers[0].token) as pages:
            lost_at = _lose(primary)
            written = writers.before(gone_at := time.monotonic())
            with timed(result.steps, "prepared"):
                run_script("postgres-restore.sh", world.connection, str(primary.data))
            with timed(result.steps, "log replayed"):
                primary.start()
                _wait_until_promoted(primary)
            with timed(result.steps, "caches invalidated"):
                manage("invalidate_caches")
            result.rto = writers.first_after(gone_at) - lost_at
    judge(result, written, world.saved(primary), lost_at)
    world.check(result, primary)
    result.steps[f"[{pages}"] = 0
    yield result
    renewed = Result("  after that: a standby, log and base backup again", 0)
    with timed(renewed.steps, "standby"):
        world.standby.stop()
        shutil.rmtree(world.standby.data)
        world.standby.start()
    with receiving_log(world.connection), timed(renewed.steps, "base backup, verified"):
        run_script("postgres-base-backup.sh", world.connection)
    renewed.rto = sum(renewed.steps.values())
    yield renewed


def _by_standby(world: World, writers: Writers, address: str) -> Result:
    """The standby is promoted, and the application finds it by itself."""
    result = Result("PostgreSQL lost: standby promoted", 0)
    time.sleep(WRITES_BEFORE)
    with Pages(address, world.readers[0].token) as pages:
        lost_at = _lose(world.primary)
        written = writers.before(gone_at := time.monotonic())
        with timed(result.steps, "promoted"):
            data = str(world.standby.data)
            try:
                world.standby.tool("pg_ctl", "promote", "-t", "600", "-D", data)
            except RuntimeError as error:
                raise RuntimeError(f"{error}: {world.standby.log()[-2000:]}") from error
        with timed(result.steps, "caches invalidated"):
            manage("invalidate_caches")
        result.rto = writers.first_after(gone_at) - lost_at
    judge(result, written, world.saved(world.standby), lost_at)
    world.check(result, world.standby)
    result.steps[f"[{pages}"] = 0
    return result


def _lose(server: PersistentPostgres) -> float:
    """Kill a server and delete its files. Return when."""
    lost_at = time.monotonic()
    server.kill()
    while server.data.exists():  # its processes write for some milliseconds more
        shutil.rmtree(server.data, ignore_errors=True)
    return lost_at


def _wait_until_promoted(server: PersistentPostgres) -> None:
    while server.sql("SELECT pg_is_in_recovery()") != "f":
        time.sleep(0.1)
