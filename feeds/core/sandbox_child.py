"""The child process of `feeds.core.sandbox`, and the protocol between both. Pure.

It imports only what a call needs, and not Django, so that it starts in a tenth of a second.
"""

import importlib
import json
import os
import resource
import socket
import struct
import sys
import time
import traceback
from typing import Any, NamedTuple

from feeds.core.errors import FeedError, LimitError, ParseError

_LENGTHS = struct.Struct("!QQ")
_MAX_BYTES = 256 * 2**20
_MAX_TRACE = 4_000
_NICENESS = 10


class Frame(NamedTuple):
    """One message: JSON in `head`, and the document in `body` of a request."""

    head: bytes
    body: bytes = b""


def send(channel: socket.socket, frame: Frame, until: float | None = None) -> None:
    """Send a message. Raises TimeoutError at the monotonic time `until`."""
    channel.settimeout(_left(until))
    channel.sendall(_LENGTHS.pack(len(frame.head), len(frame.body)) + frame.head + frame.body)


def receive(channel: socket.socket, until: float | None = None) -> Frame | None:
    """Return the next message, or None if the other side has closed the connection.

    Raises TimeoutError at the monotonic time `until`.
    """
    start = _receive_exactly(channel, _LENGTHS.size, until)
    if start is None:
        return None
    head_size, body_size = _LENGTHS.unpack(start)
    if head_size + body_size > _MAX_BYTES:
        return None
    content = _receive_exactly(channel, head_size + body_size, until)
    return (
        None if content is None else Frame(bytes(content[:head_size]), bytes(content[head_size:]))
    )


def _receive_exactly(channel: socket.socket, size: int, until: float | None) -> bytearray | None:
    content = bytearray(size)
    view, at = memoryview(content), 0
    while at < size:
        channel.settimeout(_left(until))
        count = channel.recv_into(view[at:])
        if not count:
            return None
        at += count
    return content


def _left(until: float | None) -> float | None:
    if until is None:
        return None
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def main() -> None:
    """Answer calls until the parent closes the socket, which is the standard input."""
    cpu_seconds, megabytes = map(int, sys.argv[1:3])
    _set_limits(megabytes)
    with socket.socket(fileno=os.dup(0)) as channel:
        while (frame := receive(channel)) is not None:
            _allow_cpu(cpu_seconds)
            send(channel, Frame(json.dumps(_answer(frame)).encode()))


def _set_limits(megabytes: int) -> None:
    os.nice(_NICENESS)
    most = megabytes * 2**20
    for kind, limit in (
        (resource.RLIMIT_AS, most),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_NOFILE, 64),
    ):
        try:
            resource.setrlimit(kind, (limit, limit))
        except (OSError, ValueError):  # macOS cannot limit the address space
            continue


def _allow_cpu(seconds: int) -> None:
    """Let the kernel kill this process after `seconds` more of CPU time."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(time.process_time()) + 1 + seconds
    resource.setrlimit(resource.RLIMIT_CPU, (wanted, most))


def _answer(frame: Frame) -> dict[str, Any]:
    try:
        function, arguments = json.loads(frame.head)
        module, _, name = function.partition(":")
        return {"result": getattr(importlib.import_module(module), name)(frame.body, **arguments)}
    except MemoryError:
        return _error("memory", "")
    except LimitError as error:
        return _error("limit", str(error))
    except ParseError as error:
        return _error("parse", str(error), error.alternates)
    except FeedError as error:
        return _error("parse", str(error))
    except Exception:  # noqa: BLE001 - the parent logs it and reports a parse error
        return _error("crash", traceback.format_exc()[-_MAX_TRACE:])


def _error(kind: str, message: str, alternates: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": message, "alternates": alternates}}


if __name__ == "__main__":
    main()
