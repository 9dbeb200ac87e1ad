"""Functions that the tests run in a sandbox."""

import ctypes
import os
import socket
import sys
import time
from pathlib import Path
from typing import Any

from feeds.core.errors import LimitError, ParseError


def count(body: bytes, word: str = "a") -> dict[str, Any]:
    return {"count": body.count(word.encode()), "pid": os.getpid()}


def refuse(body: bytes, kind: str) -> None:
    if kind == "parse":
        raise ParseError("This is not a feed.", ("https://lab.example/feed",))
    if kind == "limit":
        raise LimitError("The document has more than 3 elements.")
    raise ZeroDivisionError("a fault of ours")


def work(body: bytes, seconds: float) -> float:
    until = time.process_time() + seconds
    while time.process_time() < until:
        pass
    return seconds


def sleep(body: bytes, seconds: float) -> None:
    time.sleep(seconds)


def allocate(body: bytes, megabytes: int) -> int:
    return len(bytearray(megabytes * 2**20))


def die(body: bytes, how: str) -> None:
    if how == "segfault":
        ctypes.string_at(0)
    if how == "abort":
        os.abort()
    os._exit(3)


def chat(body: bytes) -> str:
    """Print text that looks like a response."""
    print('{"result": 1}', flush=True)
    return "said"


def look_around(body: bytes, file: str) -> dict[str, Any]:
    try:
        Path(file).write_text("x" * 100_000)
        wrote = True
    except OSError:
        wrote = False
    sockets = 0
    for descriptor in range(3, 64):
        try:
            socket.socket(fileno=os.dup(descriptor)).close()
            sockets += 1
        except OSError:
            continue
    django = sorted(name for name in sys.modules if name.partition(".")[0] == "django")
    return {"modules": django, "environment": dict(os.environ), "wrote": wrote, "sockets": sockets}
