"""The values that a process keeps between requests and tasks, and how they are dropped.

A module that keeps such values registers a function that drops them. Tests call
`reset_process_state` between each other, because rows of another test may have the same ids.
"""

from collections.abc import Callable
from typing import Any, TypeVar

Reset = TypeVar("Reset", bound=Callable[[], Any])

_resets: list[Callable[[], Any]] = []


def resets_process_state(reset: Reset) -> Reset:
    """Register `reset`, which takes no argument, as a decorator."""
    _resets.append(reset)
    return reset


def reset_process_state() -> None:
    """Drop what all modules keep. The next caller reads it anew."""
    for reset in _resets:
        reset()
