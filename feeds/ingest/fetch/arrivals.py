"""Runs many fetches in a background thread, and hands over their results as they arrive."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Sequence

from feeds.ingest.fetch.client import Limits, fetch_all
from feeds.ingest.fetch.types import FetchRequest, FetchResult

IDLE = 0.5
"""Seconds without a result after which the consumer may do other work."""
BATCH_WAIT = 0.005
"""Seconds to wait for another result of the same batch."""
MAX_BATCH = 16


def fetched(
    requests: Sequence[FetchRequest], limits: Limits
) -> Generator[FetchResult | None, None, None]:
    """Yield the results as they arrive, and None if none arrived for IDLE seconds.

    The requests run in a thread with an event loop, while the consumer processes results. A result
    with a body ends its batch, so that few bodies are in memory at the same time.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fetch", daemon=True)
    thread.start()
    batches = _Batches(fetch_all(requests, limits), len(requests))
    try:
        while batches.left:
            batch = asyncio.run_coroutine_threadsafe(batches.take(), loop).result()
            yield from batch or (None,)
    finally:
        asyncio.run_coroutine_threadsafe(batches.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Batches:
    """Takes several results at once, because a hand-over between threads is expensive."""

    def __init__(self, results: AsyncGenerator[FetchResult, None], left: int) -> None:
        self.left = left
        self._results = results
        self._next: asyncio.Task[FetchResult] | None = None

    async def take(self) -> list[FetchResult]:
        """Return the next batch, which ends with the first body. It is empty if none arrives."""
        batch: list[FetchResult] = []
        timeout = IDLE
        while self.left and len(batch) < MAX_BATCH:
            if self._next is None:
                self._next = asyncio.create_task(self._take_one())
            await asyncio.wait([self._next], timeout=timeout)
            if not self._next.done():
                break
            result, self._next = self._next.result(), None
            batch.append(result)
            self.left -= 1
            timeout = BATCH_WAIT
            if result.body:
                break
        return batch

    async def _take_one(self) -> FetchResult:
        return await anext(self._results)

    async def close(self) -> None:
        """Cancel the running requests, in case the consumer was interrupted."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._results.aclose()
