"""Run the queries of sockets in a few threads of their own.

Django's default is one thread for all sockets of a process: a slow query for one reader would
delay every other reader.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections, connection

THREADS = 4
"""Number of threads. Each uses a database connection while it runs a query."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
Key = TypeVar("Key")
_threads = ThreadPoolExecutor(THREADS, "live")


async def in_thread(
    query: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run `query` in one of the threads and return its result. A connection that failed is closed,
    so that it is not used again."""

    def run() -> Result:
        release_connection()
        try:
            return query(*args, **kwargs)
        finally:
            release_connection()

    return await sync_to_async(run, thread_sensitive=False, executor=_threads)()


def release_connection() -> None:
    """Close the connection of this thread as after a request.

    On SQLite it stays open unless a query failed, because opening it costs more than most queries.
    """
    if connection.vendor != "sqlite":
        close_old_connections()
    elif connection.errors_occurred:
        connection.close()


class Batch(Generic[Key, Result]):
    """Queries what several sockets want to know at once, together.

    The keys that are asked for while a query runs are queried together afterwards, so that many
    sockets that open at the same time share a few queries, and a single one waits for none.
    """

    def __init__(self, query: Callable[[Collection[Key]], Mapping[Key, Result]]) -> None:
        self._query = query
        self._waiting: list[tuple[Key, asyncio.Future[Result | None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def get(self, key: Key) -> Result | None:
        """Return the result for `key`, or None if there is none. Raises what the query raises."""
        future: asyncio.Future[Result | None] = asyncio.get_running_loop().create_future()
        self._waiting.append((key, future))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        return await future

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            try:
                results = await in_thread(self._query, {key for key, _ in waiting})
            except Exception as error:  # noqa: BLE001 - it is raised by `get`
                for _, future in waiting:
                    if not future.done():
                        future.set_exception(error)
            else:
                for key, future in waiting:
                    if not future.done():
                        future.set_result(results.get(key))
