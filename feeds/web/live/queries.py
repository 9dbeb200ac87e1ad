"""Run the queries of sockets in a few threads of their own.

Django's default is one thread for all sockets of a process: a slow query for one reader would
delay every other reader.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import close_old_connections

THREADS = 4
"""Number of threads. Each uses a database connection while it runs a query."""

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")
_threads = ThreadPoolExecutor(THREADS, "live")


async def in_thread(
    query: Callable[Arguments, Result], *args: Arguments.args, **kwargs: Arguments.kwargs
) -> Result:
    """Run `query` in one of the threads and return its result. The connection is closed as after
    a request, so that a broken one is not used again."""

    def run() -> Result:
        close_old_connections()
        try:
            return query(*args, **kwargs)
        finally:
            close_old_connections()

    return await sync_to_async(run, thread_sensitive=False, executor=_threads)()
