"""Limits of attempts, and the exception for too many of them."""

import math
from dataclasses import dataclass

from django.utils.crypto import salted_hmac

MAX_DOUBLINGS = 16


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit with growing pauses.

    The first `free` attempts need no waiting. Each further one is allowed after a pause, which
    doubles from `pause` to `longest` seconds. A count is reset `forget_after` seconds after its
    last attempt.
    """

    name: str
    free: int
    pause: float = 30
    longest: float = 900
    forget_after: float = 3600

    def pause_after(self, attempts: int) -> float:
        """Return the pause after attempt number `attempts` in seconds, or 0 if it is free."""
        if attempts <= self.free:
            return 0
        doublings = min(attempts - self.free - 1, MAX_DOUBLINGS)
        return min(self.pause * 2.0**doublings, self.longest)


@dataclass(frozen=True, slots=True)
class Counter:
    """A limit, and the account or address that attempts are counted for.

    `key` is a keyed hash that reveals neither.
    """

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
    """Return the time in words, rounded up, such as `30 seconds` or `2 minutes`."""
    count, unit = (seconds, "second") if seconds < 120 else (math.ceil(seconds / 60), "minute")
    return f"{count} {unit}{'' if count == 1 else 's'}"
