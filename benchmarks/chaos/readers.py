"""Readers who read, search, save and mark through Nginx, each with an open socket."""

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import httpx

from benchmarks.live_clients import SocketClient, open_socket

PAUSE = 0.4
FIRST_WAIT, LONGEST_WAIT = 1.0, 6.0
"""Seconds between attempts to connect a socket, as in static/js/live.js."""
NO_FAULT = "none"
ACTS = ("list", "page", "page", "item", "search", "save", "save", "mark")


@dataclass
class Reader:
    """`saved` are the items whose mark was acknowledged, `upto` the acknowledged watermark."""

    pk: int
    session: str
    token: str
    saved: set[int] = field(default_factory=set)
    upto: int = 0
    socket: SocketClient | None = None

    @property
    def is_connected(self) -> bool:
        socket = self.socket
        return socket is not None and socket.code is None and socket.greeted.done()


class Readers:
    """Run in a thread with an event loop of its own."""

    def __init__(self, port: int, readers: Sequence[Reader], seed: int) -> None:
        self.port, self.readers, self.seed = port, readers, seed
        self.fault = NO_FAULT
        self.answers: dict[str, Counter[str]] = {}
        self.slowest: dict[str, float] = {}
        self._ends = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))

    def __enter__(self) -> "Readers":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ends.set()
        self._thread.join()

    def are_connected(self) -> bool:
        return all(reader.is_connected for reader in self.readers)

    async def _run(self) -> None:
        tasks = [self._read(reader, number) for number, reader in enumerate(self.readers)]
        sockets = [asyncio.create_task(self._listen(reader)) for reader in self.readers]
        await asyncio.gather(*tasks)
        for task in sockets:
            task.cancel()

    async def _listen(self, reader: Reader) -> None:
        wait = FIRST_WAIT
        while True:
            with suppress(OSError, TimeoutError):
                async with asyncio.timeout(20):
                    reader.socket = await open_socket(self.port, reader.session)
                    await reader.socket.greeted
                wait = FIRST_WAIT
                while reader.socket.code is None:
                    await asyncio.sleep(0.1)
            await asyncio.sleep(wait * (0.5 + random.random()))
            wait = min(wait * 2, LONGEST_WAIT)

    async def _read(self, reader: Reader, number: int) -> None:
        chance = random.Random(self.seed * 1000 + number)
        bearer = {"Authorization": f"Bearer {reader.token}"}
        address = f"http://127.0.0.1:{self.port}"
        cookies = {"sessionid": reader.session}
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            items: list[tuple[int, int]] = []
            while not self._ends.is_set():
                await asyncio.sleep(PAUSE * (0.5 + chance.random()))
                act = chance.choice(
                    ("list", "page", "page", "item", "search", "save", "save", "mark")
                )
                fresh = [item for item in items if item[0] not in reader.saved]
                if act == "list" or not items:
                    answer = await self._ask(
                        client, "GET", "/api/v1/items/?limit=100", headers=bearer
                    )
                    if answer is not None:
                        items = [(item["id"], item["seq"]) for item in answer.json()["results"]]
                elif act == "save" and fresh:
                    item, _ = chance.choice(fresh)
                    body = {"items": [item], "saved": True}
                    post = await self._ask(
                        client, "POST", "/api/v1/states/", json=body, headers=bearer
                    )
                    if post is not None:
                        reader.saved.add(item)
                elif act == "mark" and chance.random() < 0.3:
                    _, seq = chance.choice(items)
                    body = {"upto_seq": seq}
                    post = await self._ask(
                        client, "POST", "/api/v1/mark-read/", json=body, headers=bearer
                    )
                    if post is not None:
                        reader.upto = max(reader.upto, seq)
                else:
                    item, _ = chance.choice(items)
                    pages = ("/", "/river/", "/sources/", "/trends/")
                    own = {"item": f"/item/{item}/", "search": "/search/?q=model"}
                    path = own.get(act) or chance.choice(pages)
                    await self._ask(client, "GET", path, cookies=cookies)

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, **options: object
    ) -> httpx.Response | None:
        """Return the answer if its status is 200. Everything else is counted by the fault."""
        fault, started = self.fault, time.monotonic()
        answer: httpx.Response | None = None
        if cookies := options.pop("cookies", None):
            assert isinstance(cookies, dict)
            options["headers"] = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
        try:
            answer = await client.request(method, path, **options)  # type: ignore[arg-type]
            outcome = str(answer.status_code)
        except httpx.HTTPError as error:
            outcome = type(error).__name__
        self.answers.setdefault(fault, Counter())[outcome] += 1
        spent = time.monotonic() - started
        self.slowest[fault] = max(self.slowest.get(fault, 0.0), spent)
        return answer if outcome == "200" else None
