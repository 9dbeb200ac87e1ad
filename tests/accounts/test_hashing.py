"""Passwords are hashed one at a time, with a lower priority than pages."""

import os
import sys
import threading
import time

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher, check_password, make_password

from accounts.hashing import MAX_REQUESTS, NICENESS, HashingThread, InTurnHasher
from accounts.limits import TooMany


def test_hashes_are_those_of_django() -> None:
    of_django = PBKDF2PasswordHasher().encode("secret", "salt", iterations=1)

    assert InTurnHasher().encode("secret", "salt", iterations=1) == of_django
    assert make_password("secret", hasher="default").startswith("pbkdf2_sha256$")
    assert check_password("secret", of_django)


def test_a_third_password_at_the_same_time_is_refused() -> None:
    turns, go = HashingThread(), threading.Event()
    running = [threading.Thread(target=turns.run, args=(go.wait,)) for _ in range(MAX_REQUESTS)]
    for thread in running:
        thread.start()
    while turns._free._value:
        time.sleep(0.01)

    with pytest.raises(TooMany, match="Too many people are signing in"):
        turns.run(lambda: None)

    go.set()
    for thread in running:
        thread.join()
    assert turns.run(lambda: "done") == "done"


def test_an_error_frees_the_thread() -> None:
    turns = HashingThread()
    for _ in range(MAX_REQUESTS + 1):
        with pytest.raises(ZeroDivisionError):
            turns.run(lambda: 1 // 0)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a priority on Linux alone")
def test_the_hashing_thread_has_a_lower_priority() -> None:
    def priority() -> int:
        return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())

    before = priority()

    assert HashingThread().run(priority) == min(before + NICENESS, 19)
    assert priority() == before


def test_a_forked_process_can_hash() -> None:
    turns = HashingThread()
    turns.run(lambda: None)

    if (child := os.fork()) == 0:
        os._exit(0 if turns.run(lambda: True) else 1)

    assert os.waitpid(child, 0)[1] == 0
