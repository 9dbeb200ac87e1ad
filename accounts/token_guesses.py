"""Throttles guesses of API tokens.

Tokens are too long to be guessed, but each guess costs a query. The throttle would also limit the
harm if tokens were generated badly.
"""

import threading
import time
from collections import OrderedDict

from accounts.limits import Counter, Limit, TooMany
from accounts.throttle import count_attempt
from ainews_site.infra.db_router import write_unseen
from ainews_site.infra.process_state import resets_process_state

BY_ADDRESS = Limit("token", free=20)
MAX_ENTRIES = 10_000


class TokenGuesses:
    """Counts the different unknown tokens that an address sends.

    Sending one token repeatedly is no guess: a program does that after its token was deleted. It
    must not lock out its neighbours.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._paused: OrderedDict[str, float] = OrderedDict()

    def check(self, address: str) -> None:
        """Raise TooMany while this process knows that the address has to wait.

        It makes no query, because each request of the API calls it.
        """
        wait = self._paused.get(address, 0) - time.monotonic()
        if wait > 0:
            raise TooMany(wait, "unknown API tokens")

    def count(self, address: str, token_hash: str) -> None:
        """Count an unknown token. Raises TooMany beyond the limit."""
        if self._is_known(address, token_hash):
            return
        try:
            write_unseen(lambda: count_attempt(Counter(BY_ADDRESS, address)))
        except TooMany as error:
            self._pause(address, error.wait)
            raise

    def _is_known(self, address: str, token_hash: str) -> bool:
        with self._lock:
            is_known = (address, token_hash) in self._known
            self._known[address, token_hash] = None
            if len(self._known) > MAX_ENTRIES:
                self._known.popitem(last=False)
        return is_known

    def _pause(self, address: str, seconds: float) -> None:
        with self._lock:
            self._paused[address] = time.monotonic() + seconds
            if len(self._paused) > MAX_ENTRIES:
                self._paused.popitem(last=False)

    def clear(self) -> None:
        with self._lock:
            self._known.clear()
            self._paused.clear()


guesses = TokenGuesses()
resets_process_state(guesses.clear)
