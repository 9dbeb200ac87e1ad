"""The files of processes: what survives a kill, how many there are, and errors."""

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from django.conf import settings

from ainews_site.infra import metric_files as files
from ainews_site.infra.metric_kinds import Counter, Histogram, Level

ROOT = Path(__file__).resolve().parents[3]
THINGS = Counter("things", "Things", ("kind",))
SECONDS = Histogram("seconds", "Seconds", ("kind",), buckets=(1.0, 2.0))
OPEN = Level("open", "Open things")
CHILD = """
import os, sys, time
import django
django.setup()
from tests.ainews_site.metrics.test_files import OPEN, SECONDS, THINGS
THINGS.add(3, "a")
OPEN.put(5)
{more}
"""


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files.close()
    monkeypatch.setattr(settings, "DATA", tmp_path)
    yield
    files.close()


def child(more: str, data: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", CHILD.format(more=more)],
        cwd=ROOT,
        env=os.environ | {"DATA": str(data), "DJANGO_SETTINGS_MODULE": "ainews_site.settings"},
        stdout=subprocess.PIPE,
        text=True,
    )


def value(name: str, *labels: str) -> list[float] | None:
    return files.read_all().series.get(files.key_of(name, labels))


def value_files() -> list[Path]:
    return list(files.folder().glob(f"*{files.SUFFIX}"))


def test_values_of_this_process_are_read_at_once() -> None:
    THINGS.add(2, "a")
    THINGS.add(1.5, "a")
    THINGS.add(1, "b")
    SECONDS.observe(0.5, "x")
    SECONDS.observe(2.0, "x")
    SECONDS.observe(7.0, "x")
    OPEN.put(4)
    OPEN.put(3)

    assert value("things", "a") == [3.5]
    assert value("things", "b") == [1]
    assert value("seconds", "x") == [1, 1, 1, 9.5]
    assert value("open") == [3]


def test_values_survive_kill_9_and_levels_do_not(tmp_path: Path) -> None:
    THINGS.add(1, "a")
    OPEN.put(2)
    process = child("print('ready', flush=True); time.sleep(60)", tmp_path)
    assert process.stdout is not None
    process.stdout.readline()
    assert value("things", "a") == [4]
    assert value("open") == [7]

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert value("things", "a") == [4]
    assert value("open") == [2]
    assert len(value_files()) == 1
    assert value("things", "a") == [4], "counted once, however often it is read"


def test_a_fork_has_a_file_of_its_own_and_does_not_keep_that_of_its_parent(tmp_path: Path) -> None:
    """A parent that ends before its fork is gone, although the fork has inherited its lock."""
    fork = (
        "pid = os.fork()\n"
        "THINGS.add(10 if pid else 100, 'a')\n"
        "print('ready', flush=True)\n"
        "os._exit(0) if pid else time.sleep(60)"
    )
    process = child(fork, tmp_path)
    assert process.stdout is not None
    for _ in range(2):
        process.stdout.readline()
    process.wait()

    assert value("things", "a") == [113]
    (running,) = files.read_all().processes
    assert running[1] != process.pid
    os.kill(running[1], signal.SIGKILL)


def test_many_short_processes_leave_few_files(tmp_path: Path) -> None:
    """As workers that gunicorn recycles, while nobody reads the metrics."""
    spawn = (
        "for _ in range(100):\n"
        "    pid = os.fork()\n"
        "    if not pid:\n"
        "        THINGS.add(1, 'short')\n"
        "        os._exit(0)\n"
        "    os.waitpid(pid, 0)"
    )
    assert child(spawn, tmp_path).wait() == 0

    assert len(value_files()) <= files.MANY_FILES + 1
    assert value("things", "short") == [100]
    assert value_files() == []


def test_a_process_that_is_killed_while_it_adds_up_leaves_nothing_counted_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child("", tmp_path).wait()
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", _killed)
        with pytest.raises(KeyboardInterrupt):
            files.read_all()
    assert len(value_files()) == 1

    assert value("things", "a") == [3]
    assert value_files() == []


def _killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


def test_threads_lose_nothing() -> None:
    def work() -> None:
        for _ in range(2_000):
            THINGS.add(1, "many")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert value("things", "many") == [16_000]


def test_a_file_grows_with_its_series() -> None:
    for number in range(3_000):
        THINGS.add(number + 1, f"kind number {number} of a process")

    assert value("things", "kind number 2999 of a process") == [3_000]
    assert value("things", "kind number 0 of a process") == [1]


def test_the_number_of_series_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "MOST_SERIES", 10)
    for number in range(30):
        THINGS.add(1, str(number))

    assert len(files.read_all().series) == 10


@pytest.mark.parametrize("damage", [b"", b"AINEWS01", b"\xff" * 64, b"AINEWS01" + b"\xff" * 40])
def test_a_damaged_file_does_not_stop_the_others(damage: bytes) -> None:
    THINGS.add(1, "a")
    (files.folder() / f"worker.1.abcd{files.SUFFIX}").write_bytes(damage)
    (files.folder() / files.TOTALS).write_bytes(damage)

    assert value("things", "a") == [1]


def test_an_error_is_logged_once_and_never_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(settings, "DATA", tmp_path / "file")
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            THINGS.add(1, "a")
            SECONDS.observe(1, "a")
            OPEN.put(1)

    assert [record.message.split(" ")[0] for record in caplog.records] == ["metrics_off"]


def test_nothing_is_written_if_metrics_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "METRICS", False)
    THINGS.add(1, "a")

    assert not files.folder().exists()


def test_recording_costs_a_few_microseconds() -> None:
    THINGS.add(1, "a")
    started = time.process_time()
    for _ in range(20_000):
        THINGS.add(1, "a")
        SECONDS.observe(0.1, "b")

    assert (time.process_time() - started) / 40_000 < 50e-6
