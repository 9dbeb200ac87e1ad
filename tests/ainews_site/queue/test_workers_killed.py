"""Three workers on real PostgreSQL, whose processes are killed at random moments."""

import random
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.services import Postgres
from tests.workers import (
    Helper,
    Outlets,
    Worker,
    environment,
    migrate,
    publishing,
    stop_all,
    work_off,
)

HOSTS, FEEDS, ENTRIES = 12, 2, 6


def disturb(
    workers: Sequence[Worker],
    outlets: Outlets,
    helper: Helper,
    seconds: float,
    chance: random.Random,
) -> dict[str, int]:
    """Publish entries, queue polls and kill processes. Returns how often each was killed."""
    done = {"one": 0, "all": 0}
    until, next_kill = time.monotonic() + seconds, time.monotonic() + 3
    while time.monotonic() < until:
        outlets.publish_some()
        helper.call("due")
        if time.monotonic() > next_kill:
            worker = chance.choice(workers)
            if chance.random() < 0.3:
                worker.kill_all()
                worker.start()
                done["all"] += 1
            else:
                worker.kill_one(chance)
                done["one"] += 1
            next_kill = time.monotonic() + chance.uniform(0.5, 2.5)
        time.sleep(chance.uniform(0.1, 0.4))
    return done


def polled_by(
    postgres: Postgres, name: str, folder: Path, outlets: Outlets, *, workers: int, killing: float
) -> tuple[dict[str, object], list[list[str]]]:
    """Return (counts, stories) after `workers` workers have polled the outlets."""
    postgres.sql(f"CREATE DATABASE {name}")
    folder.mkdir()
    env = environment(folder / "helper", postgres.url(name))
    migrate(env)
    with Helper(env) as helper:
        helper.call("follow", *outlets.urls)
        running = [
            Worker(env | {"DATA": str(folder / f"machine{n}")}, "--processes", "2")
            for n in range(workers)
        ]
        try:
            if killing:
                before = outlets.answered
                kills = disturb(running, outlets, helper, killing, random.Random(11))
                print(f"kills {kills}, {outlets.answered - before} polls, {outlets.total} entries")
            work_off(outlets, helper, 300)
            assert stop_all(running) == [0] * workers
        finally:
            for worker in running:
                print(worker.log()[-3000:])
                worker.kill_all()
        postgres.sql("UPDATE feeds_lease SET until = NULL", name)
        stories = helper.call("stories")
        counts = helper.call("counts")
    assert isinstance(stories, list)
    assert isinstance(counts, dict)
    return counts, stories


def prove(postgres: Postgres, folder: Path, seconds: float, suffix: str) -> None:
    with publishing(HOSTS, FEEDS, ENTRIES) as outlets:
        counts, stories = polled_by(
            postgres, f"killed{suffix}", folder / "many", outlets, workers=3, killing=seconds
        )
        assert not outlets.overlaps
        total = outlets.total
        for number in ("items", "once", "bodies", "keys", "told"):
            assert counts[number] == total, (number, counts)
        expected = {url: len(outlets.entries[f"/{url.rpartition('/')[2]}"]) for url in outlets.urls}
        assert counts["by_source"] == expected
        _, alone = polled_by(
            postgres, f"alone{suffix}", folder / "one", outlets, workers=1, killing=0
        )
    assert 3 < len(alone) < total / 2
    assert stories == alone


@pytest.mark.timeout(900)
def test_each_item_once_while_workers_are_killed(postgres: Postgres, tmp_path: Path) -> None:
    prove(postgres, tmp_path, 15, "_short")


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_each_item_once_after_a_minute_of_killing(postgres: Postgres, tmp_path: Path) -> None:
    prove(postgres, tmp_path, 60, "_long")
