"""Slows down who tries API tokens.

Tokens are too long to be guessed. Trying them costs a query each, and a throttle keeps a mistake
in how they are made from being used.
"""

import threading
import time
from collections import OrderedDict

from accounts.limits import Counter, Limit, TooMany
from accounts.throttle import take
from ainews_site.infra.db_router import write_unseen
from ainews_site.infra.process_state import resets_process_state

BY_ADDRESS = Limit("token", free=20)
MOST_KEPT = 10_000


class TokenGuesses:
    """Counts the different unknown tokens of an address. The same one again, as a program sends
    that was not told of the end of its token, is no guess and keeps no neighbour out."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._paused: OrderedDict[str, float] = OrderedDict()

    def check(self, address: str) -> None:
        """Raises TooMany while this process knows that the address has to wait. It asks no
        database, as each request of the API passes here."""
        wait = self._paused.get(address, 0) - time.monotonic()
        if wait > 0:
            raise TooMany(wait, "unknown API tokens")

    def count(self, address: str, token_hash: str) -> None:
        """Count an unknown token. Raises TooMany beyond the limit."""
        if self._is_known(address, token_hash):
            return
        try:
            write_unseen(lambda: take(Counter(BY_ADDRESS, address)))
        except TooMany as error:
            self._pause(address, error.wait)
            raise

    def _is_known(self, address: str, token_hash: str) -> bool:
        with self._lock:
            is_known = (address, token_hash) in self._known
            self._known[address, token_hash] = None
            if len(self._known) > MOST_KEPT:
                self._known.popitem(last=False)
        return is_known

    def _pause(self, address: str, seconds: float) -> None:
        with self._lock:
            self._paused[address] = time.monotonic() + seconds
            if len(self._paused) > MOST_KEPT:
                self._paused.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()
            self._paused.clear()


guesses = TokenGuesses()
resets_process_state(guesses.clear)
