"""Rate limits by token buckets, in the memory of one process.

A bucket holds up to `burst` tokens and gains `per_second`. Each process has its own buckets, so N
processes together allow N times as much; in return, taking a token costs microseconds. Use
`accounts.throttle` for attempts that must be counted exactly.
"""

import threading
import time
from collections import OrderedDict

from accounts.limits import TooMany

MAX_BUCKETS = 10_000


class Buckets:
    """One bucket for each key. If there are too many, the least recently used are dropped.

    `what` names the limited things in the message, as in "Too many requests".
    """

    def __init__(self, burst: float, per_second: float, what: str = "requests") -> None:
        self.burst, self.per_second, self.what = burst, per_second, what
        self._lock = threading.Lock()
        self._buckets: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def take(self, key: object, tokens: float = 1) -> None:
        """Take tokens out of the bucket of `key`. Raises TooMany if it has too few."""
        now = time.monotonic()
        with self._lock:
            left, since = self._buckets.pop(key, (self.burst, now))
            left = min(self.burst, left + (now - since) * self.per_second)
            wait = (tokens - left) / self.per_second
            self._buckets[key] = (left if wait > 0 else left - tokens, now)
            if len(self._buckets) > MAX_BUCKETS:
                self._buckets.popitem(last=False)
        if wait > 0:
            raise TooMany(wait, self.what)

    def clear(self) -> None:
        with self._lock:
            self._buckets.clear()
