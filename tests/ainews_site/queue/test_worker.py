"""`manage.py worker`: its queues, how it stops, and how it recovers from failures."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ainews_site.management.commands.worker import queues
from ainews_site.process.supervisor import STOP_SECONDS
from tests.services import Postgres
from tests.workers import ROOT, Helper, Worker, environment, migrate

JOB = "tests.jobs.mark"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    env = environment(tmp_path / "data", "")
    migrate(env)
    return env


@pytest.fixture
def helper(env: dict[str, str]) -> Iterator[Helper]:
    with Helper(env) as helper:
        yield helper


def wait_for(what: Callable[[], object], seconds: float = 100) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if what():
            return True
        time.sleep(0.1)
    return False


def test_slow_work_has_one_process_beside_the_fast_ones() -> None:
    assert queues("all", 4) == {"ainews": 4, "slow": 1}
    assert queues("fast", 4) == {"ainews": 4}
    assert queues("slow", 2) == {"slow": 2}


def test_long_work_does_not_delay_a_poll_and_is_finished_when_stopped(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    go = tmp_path / "go"
    for n in range(3):
        helper.call("send", "tests.jobs.hold", "slow", str(tmp_path / f"long{n}"), str(go))
    worker = Worker(env, "--processes", "1")
    try:
        assert wait_for((tmp_path / "long0.began").exists), worker.log()
        helper.call("send", JOB, "ainews", str(tmp_path / "poll"))
        assert wait_for((tmp_path / "poll.ended").exists), worker.log()
        assert not (tmp_path / "long0.ended").exists()
        worker.process.send_signal(signal.SIGTERM)
        assert wait_for(lambda: "Stopping" in worker.log()), worker.log()
        assert worker.process.poll() is None, "it waits for the running task"
        go.touch()
        assert worker.process.wait(100) == 0
    finally:
        worker.kill_all()
    assert (tmp_path / "long0.ended").exists()
    assert not list(Path(env["DATA"], "queue").glob("*.in_hand"))


def test_a_worker_of_one_queue_leaves_the_other_alone(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    helper.call("send", JOB, "slow", str(tmp_path / "slow"))
    helper.call("send", JOB, "ainews", str(tmp_path / "fast"))
    worker = Worker(env, "--queue", "fast")
    try:
        assert wait_for((tmp_path / "fast.ended").exists), worker.log()
        time.sleep(2)
        assert not (tmp_path / "slow.began").exists()
    finally:
        worker.kill_all()


def test_one_cluster_without_a_name_takes_both(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    """`start` and `serve` run one cluster, which needs half the memory of two."""
    for queue in ("slow", "ainews"):
        helper.call("send", JOB, queue, str(tmp_path / queue))
    process = subprocess.Popen([sys.executable, "manage.py", "qcluster"], env=env, cwd=ROOT)
    try:
        assert wait_for((tmp_path / "slow.ended").exists)
        assert wait_for((tmp_path / "ainews.ended").exists)
    finally:
        process.terminate()
        process.wait(100)


def test_a_stop_does_not_wait_for_a_worker_that_lost_a_process(
    env: dict[str, str], helper: Helper, tmp_path: Path
) -> None:
    """The killed process held the lock of the queue, so its cluster can never end by itself."""
    worker = Worker(env, "--queue", "fast", "--processes", "2")
    try:
        worker.wait_until_working()
        helper.call("send", JOB, "ainews", str(tmp_path / "first"))
        assert wait_for((tmp_path / "first.ended").exists), worker.log()
        for process in worker.processes():
            if not process.children():
                process.kill()
        started = time.monotonic()
        worker.process.send_signal(signal.SIGTERM)
        assert worker.process.wait(200) == 0
        assert time.monotonic() - started < STOP_SECONDS
    finally:
        worker.kill_all()


def test_a_lost_database_ends_no_process_of_a_worker(tmp_path: Path) -> None:
    with Postgres() as server:
        env = environment(tmp_path / "data", server.migrated())
        worker = Worker(env, "--queue", "fast", "--processes", "1")
        try:
            worker.wait_until_working()
            with Helper(env) as helper:
                helper.call("send", JOB, "ainews", str(tmp_path / "before"))
                assert wait_for((tmp_path / "before.ended").exists), worker.log()
            tree = {process.pid for process in worker.processes()}
            server.stop()
            time.sleep(14)  # django-q2 ends the process that asks for messages after ten seconds
            server.start()
            with Helper(env) as helper:
                helper.call("send", JOB, "ainews", str(tmp_path / "after"))
                assert wait_for((tmp_path / "after.ended").exists), worker.log()
            assert {process.pid for process in worker.processes()} == tree, worker.log()
        finally:
            worker.kill_all()


def test_a_database_without_tables_is_one_sentence(tmp_path: Path) -> None:
    env = environment(tmp_path, "")
    command = [sys.executable, "manage.py", "worker"]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "has no tables yet" in done.stderr
    assert "Traceback" not in done.stderr


SCHEDULERS = """
import threading, django
django.setup()
from datetime import timedelta
from django.db import connection
from django.utils import timezone
from django_q.models import OrmQ, Schedule
from django_q.scheduler import scheduler
from ainews_site.queue.schedules import ensure_schedules

def together(what):
    gate = threading.Barrier(4)
    def run():
        gate.wait()
        what()
        connection.close()
    threads = [threading.Thread(target=run) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]

together(ensure_schedules)
rounds = []
for _ in range(20):
    OrmQ.objects.all().delete()
    Schedule.objects.update(next_run=timezone.now() - timedelta(seconds=5))
    together(scheduler)
    keys = list(OrmQ.objects.values_list("key", flat=True))
    rounds.append((keys.count("ainews"), keys.count("slow")))
print(Schedule.objects.count(), set(rounds))
"""


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_schedulers_of_several_machines_queue_each_schedule_once(
    kind: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    """With SQLite, these are two `serve` commands on the same file."""
    url = ""
    if kind == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.migrated("schedulers")
    env = environment(tmp_path, url)
    if not url:
        migrate(env)
    command = [sys.executable, "-c", SCHEDULERS]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "10 {(1, 9)}", done.stderr[-2000:]


def test_no_message_is_taken_twice(postgres: Postgres, tmp_path: Path) -> None:
    script = """
import collections, threading, django
django.setup()
from django.db import connection
from django_q.brokers import get_broker
taken = []
broker = get_broker()
for n in range(60):
    broker.enqueue(str(n))
def take():
    mine = get_broker()
    while found := mine.dequeue():
        taken.extend(payload for _, payload in found)
    connection.close()
threads = [threading.Thread(target=take) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
print(len(taken), len(set(taken)))
"""
    env = environment(tmp_path, postgres.migrated("messages"))
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "60 60", done.stderr[-2000:]


def test_the_busy_lock_ends_with_its_process(tmp_path: Path) -> None:
    from ainews_site.queue.busy_lock import is_busy

    file = tmp_path / "in_hand"
    code = (
        "import time; from ainews_site.queue import busy_lock; busy_lock._acquire();"
        "print(1, flush=True)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", f"import django; django.setup(); {code}; time.sleep(60)"],
        cwd=ROOT,
        env=environment(tmp_path, "", AINEWS_IN_HAND=str(file)),
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    assert is_busy(file)
    process.kill()
    process.communicate()
    assert not is_busy(file)
