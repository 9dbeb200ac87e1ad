"""How often something may be tried, and the exception for what was tried too often."""

import math
from dataclasses import dataclass

from django.utils.crypto import salted_hmac

MOST_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Limit:
    """`free` attempts need no waiting. Each further one is allowed after a pause, which doubles
    from `pause` to `longest` seconds. A count is forgotten `kept` seconds after its last attempt.
    """

    name: str
    free: int
    pause: float = 30
    longest: float = 900
    kept: float = 3600

    def pause_after(self, attempts: int) -> float:
        """The pause that follows the attempt of this number; 0 while attempts are free."""
        if attempts <= self.free:
            return 0
        doublings = min(attempts - self.free - 1, MOST_DOUBLINGS)
        return min(self.pause * 2.0**doublings, self.longest)


@dataclass(frozen=True, slots=True)
class Counter:
    """A limit, and whom or what attempts are counted for. `key` reveals neither."""

    limit: Limit
    value: str

    @property
    def key(self) -> str:
        salt = f"accounts.throttle.{self.limit.name}"
        return salted_hmac(salt, self.value, algorithm="sha256").hexdigest()


class TooMany(Exception):
    """Too many attempts or requests. `wait` is the number of seconds until the next one."""

    def __init__(self, wait: float, what: str = "attempts") -> None:
        self.wait = max(1, math.ceil(wait))
        super().__init__(f"Too many {what}. Try again in {in_words(self.wait)}.")


def in_words(seconds: int) -> str:
    """`30 seconds`, or `2 minutes`, rounded up."""
    count, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
