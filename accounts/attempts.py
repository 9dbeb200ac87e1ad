"""Counts attempts, in the shared cache or in the database, by the same rules.

Both stores have `take`, which counts an attempt under each counter and returns 0, or counts
nothing and returns the seconds to wait; and `correct`, which takes one attempt or all of them
back.
"""

import time
from collections.abc import Iterable
from datetime import timedelta

from django.core.cache import BaseCache
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from accounts.limits import Counter, Limit
from accounts.models import AttemptCount


class CachedAttempts:
    """Two keys a counter: the count, and the end of the pause. Beyond the free attempts, adding
    the second decides, as the cache lets one of parallel requests add it."""

    def __init__(self, cache: BaseCache) -> None:
        self.cache = cache

    def take(self, *counters: Counter) -> float:
        now = time.time()
        ends = self.cache.get_many([_pause_key(one) for one in counters]).values()
        if (wait := max(ends, default=0.0) - now) > 0:
            return float(wait)
        return max(self._count(one, now) for one in counters)

    def _count(self, counter: Counter, now: float) -> float:
        limit, key = counter.limit, _count_key(counter)
        self.cache.add(key, 0, limit.kept)
        try:
            attempts = self.cache.incr(key)
        except ValueError:  # the key has just expired
            attempts = 1
            self.cache.set(key, attempts, limit.kept)
        self.cache.touch(key, limit.kept)
        pause = limit.pause_after(attempts)
        if not pause or self.cache.add(_pause_key(counter), now + pause, pause):
            return 0
        return pause

    def correct(self, *counters: Counter, by_one: bool) -> None:
        for one in counters:
            key = _count_key(one)
            if by_one and self.cache.get(key, 0) > 0:
                self.cache.decr(key)
            elif not by_one:
                self.cache.delete(key)
            self.cache.delete(_pause_key(one))


def _count_key(counter: Counter) -> str:
    return f"attempts-{counter.key}"


def _pause_key(counter: Counter) -> str:
    return f"attempts-pause-{counter.key}"


class StoredAttempts:
    """A row a counter. A refusal is a single query, as there may be many of them."""

    def take(self, *counters: Counter) -> float:
        limits = {one.key: one.limit for one in counters}
        if wait := _wait(AttemptCount.objects.filter(key__in=limits)):
            return wait
        now = timezone.now()
        with transaction.atomic():
            new = [AttemptCount(key=key, forgotten_at=now) for key in sorted(limits)]
            AttemptCount.objects.bulk_create(new, ignore_conflicts=True)
            # In order of the keys, so that parallel requests cannot deadlock.
            locked = AttemptCount.objects.select_for_update().filter(key__in=limits)
            rows = list(locked.order_by("key"))
            if wait := _wait(rows):
                return wait
            for row in rows:
                _count_in_row(row, limits[row.key])
        return 0

    def correct(self, *counters: Counter, by_one: bool) -> None:
        rows = AttemptCount.objects.filter(key__in=[one.key for one in counters])
        if by_one:
            rows.filter(attempts__gt=0).update(attempts=F("attempts") - 1, paused_until=None)
        else:
            rows.delete()


def _wait(rows: Iterable[AttemptCount]) -> float:
    now = timezone.now()
    ends = [row.paused_until for row in rows if row.paused_until and row.paused_until > now]
    return max((end - now).total_seconds() for end in ends) if ends else 0


def _count_in_row(row: AttemptCount, limit: Limit) -> None:
    now = timezone.now()
    row.attempts = 1 if row.forgotten_at <= now else row.attempts + 1
    pause = limit.pause_after(row.attempts)
    row.paused_until = now + timedelta(seconds=pause) if pause else None
    row.forgotten_at = now + timedelta(seconds=limit.kept)
    row.save()


def forget_old_attempts() -> int:
    """Delete the rows that no longer count. Returns how many there were."""
    return AttemptCount.objects.filter(forgotten_at__lt=timezone.now()).delete()[0]
