"""Token buckets in this process: how fast somebody may do something again and again.

A bucket holds up to `burst` tokens and fills by `per_second`. Several processes have buckets of
their own, so that together they allow as many times as much; in return, taking a token costs
microseconds. What must be counted exactly is counted by `accounts.throttle`.
"""

import threading
import time
from collections import OrderedDict

from accounts.limits import TooMany

MOST_BUCKETS = 10_000


class Buckets:
    """A bucket for each key. Those that were used longest ago are dropped first."""

    def __init__(self, burst: float, per_second: float, what: str = "requests") -> None:
        self.burst, self.per_second, self.what = burst, per_second, what
        self._lock = threading.Lock()
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, key: object, tokens: float = 1) -> None:
        """Take tokens out of the bucket of `key`. Raises TooMany when it has too few."""
        now = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(key, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.per_second)
            wait = (tokens - left) / self.per_second
            self._buckets[key] = (left if wait > 0 else left - tokens, now)
            if len(self._buckets) > MOST_BUCKETS:
                self._buckets.popitem(last=False)
        if wait > 0:
            raise TooMany(wait, self.what)

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()
