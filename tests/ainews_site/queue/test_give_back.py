"""What a stopping worker does not finish: it gives back leases and messages at once."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ainews_site.infra import stopping
from ainews_site.process.supervisor import INTERRUPT_AFTER
from tests.ainews_site.queue.test_worker import wait_for
from tests.feeds.ingest.server import reply, serve
from tests.services import Postgres
from tests.workers import Helper, Worker, environment, migrate

TOGETHER = 30.0
"""Seconds within which a service manager expects a service to stop."""
FAST_FEEDS, SLOW_FEEDS, ENTRIES = 3, 3, 4
HOLD = "tests.jobs.hold"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    env = environment(tmp_path / "data", "", POLL_BATCH="20")
    migrate(env)
    return env


@pytest.fixture
def helper(env: dict[str, str]) -> Iterator[Helper]:
    with Helper(env) as helper:
        yield helper


def feed(name: str) -> bytes:
    entries = "".join(
        f"<item><title>{name} lab releases model {n}</title>"
        f"<link>https://o.example/{name}/{n}</link></item>"
        for n in range(ENTRIES)
    )
    return f"<rss version='2.0'><channel><title>{name}</title>{entries}</channel></rss>".encode()


def stop(worker: Worker) -> float:
    """Stop the worker as a service manager does. Returns how many seconds it took."""
    began = time.monotonic()
    worker.process.send_signal(signal.SIGTERM)
    assert worker.process.wait(200) == 0, worker.log()
    return time.monotonic() - began


def prove_poll_is_given_back(env: dict[str, str]) -> None:
    go, waiting = threading.Event(), threading.Semaphore(0)

    def slow(handler: BaseHTTPRequestHandler) -> None:
        waiting.release()
        go.wait(100)
        reply(200, feed(handler.path[1:]))(handler)

    names = [f"fast{n}" for n in range(FAST_FEEDS)] + [f"slow{n}" for n in range(SLOW_FEEDS)]
    routes = {
        f"/{name}": slow if name.startswith("slow") else reply(200, feed(name)) for name in names
    }
    with serve(routes) as server, Helper(env) as helper:
        helper.call("follow", *(f"{server.url}/{name}" for name in names))
        worker = Worker(env, "--queue", "fast", "--processes", "1")
        try:
            helper.call("due")
            for _ in range(SLOW_FEEDS):
                assert waiting.acquire(timeout=100), worker.log()
            assert wait_for(lambda: helper.call("counts")["items"] == FAST_FEEDS * ENTRIES)  # type: ignore[index]
            assert helper.call("held") == [SLOW_FEEDS, 0]
            assert stop(worker) < TOGETHER / 2
            assert helper.call("held") == [0, 0]
            assert helper.call("free") == [1, 0], "the batch is queued again"
            go.set()
            worker = Worker(env, "--queue", "fast", "--processes", "1")  # nobody queues a poll
            total = len(names) * ENTRIES
            assert wait_for(lambda: helper.call("counts")["told"] == total), worker.log()  # type: ignore[index]
            stop(worker)
        finally:
            go.set()
            worker.kill_all()
        counts = helper.call("counts")
        assert isinstance(counts, dict)
        assert {counts[name] for name in ("items", "once", "bodies", "keys", "told")} == {total}
        assert counts["failing"] == 0
        assert helper.call("held") == [0, 0]
        assert helper.call("waiting") == [0, 0]


def test_a_poll_of_slow_feeds_stops_at_once_and_its_successor_takes_the_rest(
    env: dict[str, str],
) -> None:
    prove_poll_is_given_back(env)


@pytest.mark.slow
def test_the_same_with_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    prove_poll_is_given_back(
        environment(tmp_path / "data", postgres.migrated("give_back"), POLL_BATCH="20")
    )


def test_what_does_not_end_and_what_has_not_begun_is_queued_again(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    """One task runs, one is in the queue of the cluster, and one is about to be put there."""
    for n in range(3):
        helper.call("send", HOLD, "slow", str(tmp_path / f"{n}"), str(tmp_path / "never"))
    worker = Worker(env, "--queue", "slow")
    try:
        assert wait_for((tmp_path / "0.began").exists), worker.log()
        assert wait_for(lambda: helper.call("free") == [0, 0]), worker.log()
        began = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: "Stopping" in worker.log())
        time.sleep(0.5)
        os.kill(int((tmp_path / "0.began").read_text()), signal.SIGTERM)  # as the supervisor does
        assert worker.process.wait(100) == 0
        assert time.monotonic() - began < INTERRUPT_AFTER
    finally:
        worker.kill_all()
    assert not list(tmp_path.glob("*.ended"))
    assert not (tmp_path / "1.began").exists()
    assert helper.call("free") == [0, 3]
    assert helper.call("waiting") == [0, 3]
    assert "Failed" not in worker.log()
    (tmp_path / "never").touch()
    worker = Worker(env, "--queue", "slow")
    try:
        assert wait_for(lambda: len(list(tmp_path.glob("*.ended"))) == 3), worker.log()
        assert wait_for(lambda: helper.call("waiting") == [0, 0])
        stop(worker)
    finally:
        worker.kill_all()


@pytest.mark.slow
def test_the_supervisor_interrupts_what_does_not_end(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    helper.call("send", HOLD, "slow", str(tmp_path / "long"), str(tmp_path / "never"))
    worker = Worker(env)
    try:
        assert wait_for((tmp_path / "long.began").exists), worker.log()
        assert INTERRUPT_AFTER < stop(worker) < TOGETHER
    finally:
        worker.kill_all()
    assert helper.call("free") == [0, 1], worker.log()


def test_a_process_without_a_request_goes_on(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert not stopping.is_stopping()
    file = tmp_path / "stop"
    monkeypatch.setenv(stopping.VARIABLE, str(file))
    assert not stopping.is_stopping()
    file.touch()
    assert not stopping.is_stopping()
    stopping.write_request(file)
    assert stopping.is_stopping()
