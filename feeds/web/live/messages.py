"""Read what a client sends over a socket, within limits. Pure."""

import json
import time
from typing import Any

LONGEST = 1_024
"""Characters of one message; a client sends about twenty."""
BURST, PER_SECOND = 20, 1.0
"""Messages that a client may send at once, and how fast that allowance comes back."""
HIGHEST_SEQ = 2**62


def read_message(text: str) -> dict[str, Any]:
    """The object that `text` holds; empty for anything else, which is ignored."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return content if isinstance(content, dict) else {}


def read_seq(message: dict[str, Any]) -> int | None:
    """The ledger number in a message; None unless it is one."""
    seq = message.get("seq")
    if not isinstance(seq, int) or isinstance(seq, bool):
        return None
    return seq if 0 <= seq < HIGHEST_SEQ else None


class Throttle:
    """A token bucket: whether one more message may come now."""

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
