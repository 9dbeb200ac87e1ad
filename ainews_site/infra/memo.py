"""Caches values that are costly to compute, and shares them between processes.

A cached value may be lost at any moment. Everything that it depends on belongs into its key or its
validator: a reader's cache version, the newest ledger number, a revision. Read them before the
value is computed, so that an old value is never stored under a newer validator.
"""

import logging
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from typing import TypeVar, cast

from django.db import connections

from ainews_site.infra.cache import CacheUnavailable, circuit, with_cache
from ainews_site.infra.cache_metrics import count_request
from ainews_site.infra.process_state import resets_process_state

T = TypeVar("T")
logger = logging.getLogger(__name__)

STALE_FOR = 3600
"""Seconds for which the cache stores a value, fresh or not."""
MAX_LOCAL = 4_000
"""Local copies in a process. Those of readers have some KB."""
PURGE_SECONDS = 60
"""Seconds between two searches for local copies that are too old."""
CLAIM_SECONDS = 30
"""How long a claim to recompute a value lasts, in case its holder died."""
WAIT_SECONDS, WAIT_STEP = 2.0, 0.05
"""How long a caller with no stale value waits for the one recomputing it, in seconds."""


@dataclass(frozen=True, slots=True)
class _Entry:
    value: object
    computed_at: float
    validator: object

    def is_fresh(self, seconds: float, validator: object) -> bool:
        return self.validator == validator and 0 <= time.time() - self.computed_at < seconds


_local: dict[str, tuple[float, _Entry]] = {}
"""(monotonic time until which it may be used, entry) by key: the local copies of this process."""
_purge_at = 0.0
_fills_in_background = False
_renewing: set[str] = set()
"""Keys that a thread of this process is at work on."""
_claims: dict[str, float] = {}
"""Claims of this process, used while the cache is down."""


def cached(
    key: str,
    compute: Callable[[], T],
    *,
    fresh: float,
    stale_for: float = STALE_FOR,
    validator: object = None,
    local_for: float = 0,
    claim: bool = True,
    shared: bool = True,
) -> T:
    """Return the cached value of `key`, or compute it.

    A value that is older than `fresh` seconds, or that has another `validator`, is recomputed by
    one caller. Until that is done, the others get the old value, which the cache stores for
    `stale_for` seconds; a caller that must know puts the validator into the value. Callers
    that have no old value wait up to WAIT_SECONDS. Values are pickled, so they must be plain and
    small. A large value can also stay in the process for `local_for` seconds, to save fetching it
    for each request. Without `claim` every caller computes at once, which saves three requests of
    the cache: for values that one reader alone uses. A value that is not `shared` stays in the
    process: for small values that cost no more than two requests of the cache. If the cache is
    down, each process computes its own values.
    """
    local = _local.get(key)
    if local and time.monotonic() < local[0] and local[1].is_fresh(fresh, validator):
        count_request(key, "local")
        return cast(T, local[1].value)
    if not shared:
        count_request(key, "miss")
        started = time.time()
        own = _Entry(compute(), started, validator)
        _store_locally(key, own, local_for)
        return cast(T, own.value)
    # If the cache is down, fall back to the stale in-process copy.
    entry = _fetch(key) or (local[1] if local else None)
    if entry and entry.is_fresh(fresh, validator):
        count_request(key, "hit")
    else:
        old = entry
        if claim:
            entry = _renew(key, compute, old, fresh, stale_for, validator)
        else:
            entry = _compute(key, compute, stale_for, validator)
        count_request(key, "stale" if entry is old else "miss")
    if local_for:
        _store_locally(key, entry, local_for)
    return cast(T, entry.value)


def fill_in_background() -> None:
    """Let threads of this process compute what `cached_in_background` returns. For web servers."""
    global _fills_in_background
    _fills_in_background = True


def cached_in_background(
    key: str, compute: Callable[[], T], *, fresh: float, validator: object, local_for: float
) -> T | None:
    """Return the local copy of `key` if it has this validator, else None.

    After `fill_in_background` the caller never waits for `compute`, which a thread calls if there
    is no such copy or if it is older than `fresh` seconds. The caller must be able to do without.
    In other processes this is `cached`.
    """
    if not _fills_in_background:
        return cached(key, compute, fresh=fresh, validator=validator, local_for=local_for)
    local = _local.get(key)
    entry = local[1] if local else None
    count_request(key, "local" if entry and entry.validator == validator else "miss")
    if entry is None or not entry.is_fresh(fresh, validator):

        def renew() -> None:
            cached(key, compute, fresh=fresh, validator=validator, local_for=local_for)

        _in_background(key, renew)
    return cast(T, entry.value) if entry and entry.validator == validator else None


def _in_background(key: str, renew: Callable[[], None]) -> None:
    """Call `renew` in a thread, unless one is at work on this key."""

    def work() -> None:
        try:
            renew()
        except Exception:
            logger.exception("%s could not be computed.", key)
        finally:
            _renewing.discard(key)
            connections.close_all()

    if key not in _renewing:
        _renewing.add(key)
        # The context has the database that this request reads from, which may be a replica.
        thread = threading.Thread(target=copy_context().run, args=(work,), daemon=True)
        try:
            thread.start()
        except RuntimeError:
            logger.exception("No thread could be started to compute %s.", key)
            _renewing.discard(key)


def _renew(
    key: str,
    compute: Callable[[], object],
    old: _Entry | None,
    fresh: float,
    stale_for: float,
    validator: object,
) -> _Entry:
    """Return the old entry while another caller recomputes it, else a new one."""
    if not _claim(key):
        if entry := old or _wait(key):
            return entry
    elif (again := _fetch(key)) and again.is_fresh(fresh, validator):
        _release(key)  # another caller finished between our fetch and our claim
        return again
    try:
        return _compute(key, compute, stale_for, validator)
    finally:
        _release(key)


def _compute(
    key: str, compute: Callable[[], object], stale_for: float, validator: object
) -> _Entry:
    """Compute and store a new entry."""
    started = time.time()
    new = _Entry(compute(), started, validator)
    with suppress(CacheUnavailable):
        row = (new.value, new.computed_at, new.validator)
        with_cache(lambda cache: cache.set(key, row, stale_for))
    return new


@resets_process_state
def clear_local_cache() -> None:
    """Drop the copies in this process. The shared cache keeps its values."""
    _local.clear()


def _fetch(key: str) -> _Entry | None:
    try:
        row = with_cache(lambda cache: cache.get(key))
    except CacheUnavailable:
        return None
    return _Entry(*row) if row else None


def _store_locally(key: str, entry: _Entry, seconds: float) -> None:
    global _purge_at
    now = time.monotonic()
    if now > _purge_at or len(_local) >= MAX_LOCAL:
        _purge_at = now + PURGE_SECONDS
        _purge_local(now)
    _local[key] = (now + seconds, entry)


def _purge_local(now: float) -> None:
    """Drop old local copies and, if there are too many, the older half of the others."""
    by_age = sorted(_local.items(), key=lambda item: item[1][0])
    surplus = len(by_age) // 2 if len(by_age) >= MAX_LOCAL else 0
    for place, (key, (until, _)) in enumerate(by_age):
        if place < surplus or until + STALE_FOR < now:
            _local.pop(key, None)


def _claim(key: str) -> bool:
    """Return True if this caller shall recompute the value.

    While the cache is down, the claim holds for this process alone. It is no lock: it only saves
    work, and two callers that compute the same value do no harm.
    """
    try:
        return with_cache(lambda cache: cache.add(f"{key}:claim", 1, CLAIM_SECONDS))
    except CacheUnavailable:
        now = time.monotonic()
        is_free = _claims.get(key, 0.0) < now
        if is_free:
            _claims[key] = now + CLAIM_SECONDS
        return is_free


def _release(key: str) -> None:
    _claims.pop(key, None)
    with suppress(CacheUnavailable):
        with_cache(lambda cache: cache.delete(f"{key}:claim"))


def _wait(key: str) -> _Entry | None:
    """Return the entry that another caller stores, or None if that takes too long."""
    until = time.monotonic() + WAIT_SECONDS
    while not circuit.problem and time.monotonic() < until:
        time.sleep(WAIT_STEP)
        if entry := _fetch(key):
            return entry
    return None
