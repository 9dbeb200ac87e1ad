"""The request and the task that code runs for. Logs, messages of the queue and traces carry them.

They follow calls, coroutines and `asyncio` tasks by themselves. Code that hands work to a thread of
its own uses `carrying_ids`, or `ainews_site.observe.tracing.carrying`.
"""

import random
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TypeGuard, TypeVar

T = TypeVar("T")

request_id: ContextVar[str] = ContextVar("ainews_request_id", default="")
"""The id of the request that is answered, or that queued the running task."""
task_id: ContextVar[str] = ContextVar("ainews_task_id", default="")

_VALID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}")


def new_id() -> str:
    """Return a new id. It is no secret, and reading random bytes of the system takes longer."""
    return f"{random.getrandbits(128):032x}"


def is_valid(text: object) -> TypeGuard[str]:
    """Return True if `text` may be used as an id: 8 to 64 letters, digits, dots, hyphens."""
    return isinstance(text, str) and _VALID.fullmatch(text) is not None


def ids() -> dict[str, str]:
    """Return the ids that are set, by the names that logs use."""
    pairs = {"request_id": request_id.get(), "task_id": task_id.get()}
    return {name: value for name, value in pairs.items() if value}


@contextmanager
def of_request(value: str) -> Iterator[None]:
    """Run the block for the request with this id."""
    token = request_id.set(value)
    try:
        yield
    finally:
        request_id.reset(token)


def carrying_ids(function: Callable[[], T]) -> Callable[[], T]:
    """Return `function`, which then runs with the ids of this moment, in whatever thread."""
    request, task = request_id.get(), task_id.get()
    if not request and not task:
        return function

    def run() -> T:
        tokens = request_id.set(request), task_id.set(task)
        try:
            return function()
        finally:
            request_id.reset(tokens[0])
            task_id.reset(tokens[1])

    return run
