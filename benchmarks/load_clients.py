"""Many sessions that read pages at once, from one process of their own.

    python -m benchmarks.load_clients PORT SECONDS PAUSE < SESSIONS

The input is JSON: [{"cookie": ..., "paths": [...]}, ...], a session each. Each session has one
connection, asks for its paths in turn, and pauses PAUSE seconds between two of them, its first page
at a random moment of the first pause. Prints JSON: milliseconds of the answers with status 200
and with status 503, {status: answers}, {error: times}. PORT is one of this machine.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any

PATIENCE = 60.0
REST = 1.0
"""Seconds for which a session waits after an error or a refusal."""


@dataclass
class Results:
    times: list[float] = field(default_factory=list)
    refused: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)


def main() -> None:
    port, seconds, pause = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    results = asyncio.run(read_all(json.load(sys.stdin), port, seconds, pause))
    print(json.dumps([results.times, results.refused, results.statuses, results.errors]))


async def read_all(sessions: list[Any], port: int, seconds: float, pause: float) -> Results:
    results, until = Results(), time.monotonic() + seconds
    await asyncio.gather(*(_read(session, port, until, pause, results) for session in sessions))
    return results


async def _read(session: Any, port: int, until: float, pause: float, results: Results) -> None:
    await asyncio.sleep(random.random() * min(pause, until - time.monotonic()))
    wire: Any = None
    for path in cycle(session["paths"]):
        if time.monotonic() >= until:
            break
        started = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                wire = wire or await asyncio.open_connection("127.0.0.1", port)
                status, closes = await _get(*wire, path, session["cookie"])
        except (OSError, ValueError, asyncio.IncompleteReadError) as error:
            # TimeoutError is an OSError.
            results.errors[type(error).__name__] += 1
            status, closes = 0, True
        if status:
            results.statuses[status] += 1
        if status in (200, 503):
            spent = (time.monotonic() - started) * 1000
            (results.times if status == 200 else results.refused).append(spent)
        if closes and wire:
            wire[1].close()
            wire = None
        rest = REST if status in (0, 503) else pause
        await asyncio.sleep(min(rest, max(0.0, until - time.monotonic())))
    if wire:
        wire[1].close()


async def _get(reader: Any, writer: Any, path: str, cookie: str) -> tuple[int, bool]:
    """Read an answer whole. Return (status, whether the connection cannot be used again)."""
    writer.write(
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: {cookie}\r\n"
        "Accept: text/html\r\nAccept-Encoding: gzip, br\r\n\r\n".encode()
    )
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    status = int(head.split(" ", 2)[1])
    if "transfer-encoding: chunked" in head:
        while size := int(await reader.readline(), 16):
            await reader.readexactly(size + 2)
        await reader.readline()
    elif "content-length: " in head:
        length = head.partition("content-length: ")[2].partition("\r\n")[0]
        await reader.readexactly(int(length))
    elif status not in (204, 304):
        await reader.read()
        return status, True
    return status, "connection: close" in head


if __name__ == "__main__":
    main()
