"""The messages that wait until a socket can send them."""

import asyncio

MOST = 50
"""Number of waiting messages beyond which a client counts as stalled."""


class Outbox:
    """Holds the newest message of each kind, so that a burst of events becomes one message, and a
    client that does not read cannot make it grow."""

    def __init__(self) -> None:
        self._messages: dict[object, str] = {}
        self._filled = asyncio.Event()

    def put(self, kind: object, message: str) -> bool:
        """Add a message. It replaces a waiting one of the same kind. Returns False if it is full.

        Must be called in the event loop.
        """
        self._messages.pop(kind, None)
        if len(self._messages) >= MOST:
            return False
        self._messages[kind] = message
        self._filled.set()
        return True

    async def get(self) -> str:
        """Wait for the oldest message, and remove it."""
        await self._filled.wait()
        message = self._messages.pop(next(iter(self._messages)))
        if not self._messages:
            self._filled.clear()
        return message
