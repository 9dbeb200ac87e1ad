"""The answers of many fetches as they come, from a thread that has the network to itself."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Sequence

from feeds.ingest.fetch.client import Limits, fetch_all
from feeds.ingest.fetch.types import FetchRequest, FetchResult

IDLE = 0.5
"""Seconds without a result after which what was read is written."""
MOMENT = 0.005
MOST_TAKEN = 16


def fetched(
    requests: Sequence[FetchRequest], limits: Limits
) -> Generator[FetchResult | None, None, None]:
    """The results as they come, None when none came for a moment. The network goes on in a
    thread of its own; what has a body is read before the next is taken, which bounds the
    memory."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fetch", daemon=True)
    thread.start()
    taker = _Taker(fetch_all(requests, limits), len(requests))
    try:
        while taker.left:
            taken = asyncio.run_coroutine_threadsafe(taker.take(), loop).result()
            yield from taken or (None,)
    finally:
        asyncio.run_coroutine_threadsafe(taker.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Taker:
    """Takes several results at once where it can: from one thread to another is dear."""

    def __init__(self, results: AsyncGenerator[FetchResult, None], left: int) -> None:
        self.left = left
        self._results = results
        self._next: asyncio.Task[FetchResult] | None = None

    async def take(self) -> list[FetchResult]:
        """What comes within a moment of the first, up to the first body; nothing when idle."""
        taken: list[FetchResult] = []
        patience = IDLE
        while self.left and len(taken) < MOST_TAKEN:
            if self._next is None:
                self._next = asyncio.create_task(self._take_one())
            await asyncio.wait([self._next], timeout=patience)
            if not self._next.done():
                break
            result, self._next = self._next.result(), None
            taken.append(result)
            self.left -= 1
            patience = MOMENT
            if result.body:
                break
        return taken

    async def _take_one(self) -> FetchResult:
        return await anext(self._results)

    async def close(self) -> None:
        """End what is under way, should the consumer have been interrupted."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._results.aclose()
