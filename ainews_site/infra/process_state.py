"""A registry of functions that reset values which a process caches between requests and tasks.

A module that caches such values registers a function that drops them. Tests call
`reset_process_state` before each test, because rows of another test may have the same ids.
"""

from collections.abc import Callable
from typing import Any, TypeVar

Reset = TypeVar("Reset", bound=Callable[[], Any])

_resets: list[Callable[[], Any]] = []


def resets_process_state(reset: Reset) -> Reset:
    """Decorator that registers `reset`, a function without arguments."""
    _resets.append(reset)
    return reset


def reset_process_state() -> None:
    """Call all registered functions."""
    for reset in _resets:
        reset()
