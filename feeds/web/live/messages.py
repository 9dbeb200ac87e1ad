"""Parse and rate-limit the messages of websocket clients. Pure."""

import json
import time
from typing import Any

MAX_LENGTH = 1_024
"""Longest message in characters. Our client sends about 20."""
BURST, PER_SECOND = 20, 1.0
"""Size of the token bucket in messages, and its refill rate."""
HIGHEST_SEQ = 2**62


def read_message(text: str) -> dict[str, Any]:
    """Parse a JSON object. Anything else gives {}, so that it is ignored."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_seq(message: dict[str, Any]) -> int | None:
    """The `seq` of a message; None unless it is a valid ledger number."""
    return read_number(message, "seq")


def read_number(message: dict[str, Any], name: str) -> int | None:
    """This value of a message; None unless it is a whole number from 0 on that a database holds."""
    number = message.get(name)
    if not isinstance(number, int) or isinstance(number, bool):
        return None
    return number if 0 <= number < HIGHEST_SEQ else None


class Throttle:
    """A token bucket that limits the messages of one client."""

    def __init__(self) -> None:
        self._left, self._at = float(BURST), time.monotonic()

    def allows(self) -> bool:
        now = time.monotonic()
        self._left = min(BURST, self._left + (now - self._at) * PER_SECOND)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
