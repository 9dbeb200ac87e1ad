"""Values that cost something to compute, kept in the cache for whoever asks next.

What is kept may be lost at any moment. What it depends on belongs into its key or its stamp:
a reader's `version`, the ledger's newest number, a revision. Both are read before the value
is computed, so that none is kept under what came after it.
"""

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeVar, cast

from ainews_site.infra.cache import CacheAway, asked, circuit
from ainews_site.infra.process_state import resets_process_state

T = TypeVar("T")

KEPT = 3600
COMPUTES = 30
"""Seconds after which one who began to compute is given up."""
PATIENCE, PAUSE = 2.0, 0.05
"""Seconds that one who has nothing waits for one who computes."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: object
    at: float
    stamp: object

    def is_fresh(self, seconds: float, stamp: object) -> bool:
        return self.stamp == stamp and 0 <= time.time() - self.at < seconds


_near: dict[str, tuple[float, _Kept]] = {}
"""In this process: what is too large to be fetched for each request."""
_claims: dict[str, float] = {}


def remembered(
    key: str,
    compute: Callable[[], T],
    *,
    fresh: float,
    kept: float = KEPT,
    stamp: object = None,
    near: float = 0,
) -> T:
    """The value of `key`, at most `fresh` seconds old and of this `stamp`.

    One that is older, or of another stamp, is computed anew by one caller while the others
    get the old one, for as long as it is `kept`; those who have none wait a little for it.
    Values are pickled: plain and small. With `near` they stay in the process for so many
    seconds as well. Without a cache each caller computes.
    """
    held = _near.get(key)
    if held and time.monotonic() < held[0] and held[1].is_fresh(fresh, stamp):
        return cast(T, held[1].value)
    # An old one that is near still serves where the cache is away.
    found = _fetch(key) or (held[1] if held else None)
    if not (found and found.is_fresh(fresh, stamp)):
        found = _renew(key, compute, found, fresh, kept, stamp)
    if near:
        _hold(key, found, near)
    return cast(T, found.value)


def _renew(
    key: str,
    compute: Callable[[], object],
    old: _Kept | None,
    fresh: float,
    kept: float,
    stamp: object,
) -> _Kept:
    """The old one while somebody else computes, else a new one."""
    if not _claim(key):
        if found := old or _wait(key):
            return found
    elif (again := _fetch(key)) and again.is_fresh(fresh, stamp):
        _give_up(key)  # somebody had just ended
        return again
    try:
        started = time.time()
        made = _Kept(compute(), started, stamp)
        with suppress(CacheAway):
            asked(lambda cache: cache.set(key, (made.value, made.at, made.stamp), kept))
    finally:
        _give_up(key)
    return made


@resets_process_state
def forget_near() -> None:
    _near.clear()


def _fetch(key: str) -> _Kept | None:
    try:
        row = asked(lambda cache: cache.get(key))
    except CacheAway:
        return None
    return _Kept(*row) if row else None


def _hold(key: str, found: _Kept, near: float) -> None:
    now = time.monotonic()
    for other, (until, _) in list(_near.items()):
        if until + KEPT < now:
            _near.pop(other, None)
    _near[key] = (now + near, found)


def _claim(key: str) -> bool:
    """Whether this caller is the one who computes; without a cache, of those in this process.
    A guard against many at once, no lock: two who compute the same do no harm."""
    try:
        return asked(lambda cache: cache.add(f"{key}:claim", 1, COMPUTES))
    except CacheAway:
        now = time.monotonic()
        is_free = _claims.get(key, 0.0) < now
        if is_free:
            _claims[key] = now + COMPUTES
        return is_free


def _give_up(key: str) -> None:
    _claims.pop(key, None)
    with suppress(CacheAway):
        asked(lambda cache: cache.delete(f"{key}:claim"))


def _wait(key: str) -> _Kept | None:
    until = time.monotonic() + PATIENCE
    while not circuit.problem and time.monotonic() < until:
        time.sleep(PAUSE)
        if found := _fetch(key):
            return found
    return None
