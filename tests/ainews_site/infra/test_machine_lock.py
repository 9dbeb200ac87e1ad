"""Locks between the threads and processes of a machine."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from django.conf import LazySettings

from ainews_site.infra.machine_lock import machine_lock

OTHER = """
import sys
from django.conf import settings
settings.configure(DATA=sys.argv[1])
from ainews_site.infra.machine_lock import machine_lock
with machine_lock("it") as is_mine:
    print(is_mine, flush=True)
    sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def data(settings: LazySettings, tmp_path: Path) -> None:
    settings.DATA = tmp_path


def test_one_holder_at_a_time_and_no_file_is_left(tmp_path: Path) -> None:
    with machine_lock("it") as first, machine_lock("it") as second, machine_lock("other") as other:
        assert (first, second, other) == (True, False, True)
    with machine_lock("it") as again:
        assert again

    assert list((tmp_path / "locks").iterdir()) == []


def test_the_lock_is_free_after_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), machine_lock("it"):
        raise ZeroDivisionError
    with machine_lock("it") as is_mine:
        assert is_mine


def test_a_killed_process_releases_the_lock(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OTHER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        with machine_lock("it") as is_mine:
            assert not is_mine
        other.kill()
        other.wait()
        with machine_lock("it") as is_mine:
            assert is_mine


def test_of_many_threads_only_one_holds_the_lock() -> None:
    holders, most, taken = 0, 0, 0
    counting = threading.Lock()

    def take() -> None:
        nonlocal holders, most, taken
        for _ in range(300):
            with machine_lock("it") as is_mine:
                if not is_mine:
                    continue
                with counting:
                    holders, taken = holders + 1, taken + 1
                    most = max(most, holders)
                with counting:
                    holders -= 1

    threads = [threading.Thread(target=take) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert most == 1
    assert taken > 6
