"""Two stores of attempt counts with the same rules: the shared cache and the database.

Both have two methods. `count` counts an attempt under each counter and returns 0; if one of them
has to wait, it counts nothing and returns the seconds to wait. `correct` takes back the last
attempt (`by_one`) or all attempts.
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
    """Uses two cache keys for each counter: the count, and the end of the pause.

    Once the free attempts are used up, `cache.add` of the second key decides which of several
    parallel requests is allowed, because it succeeds for only one of them.
    """

    def __init__(self, cache: BaseCache) -> None:
        self.cache = cache

    def count(self, *counters: Counter) -> float:
        now = time.time()
        ends = self.cache.get_many([_pause_key(counter) for counter in counters]).values()
        if (wait := max(ends, default=0.0) - now) > 0:
            return float(wait)
        return max(self._count(counter, now) for counter in counters)

    def _count(self, counter: Counter, now: float) -> float:
        limit, key = counter.limit, _count_key(counter)
        self.cache.add(key, 0, limit.forget_after)
        try:
            attempts = self.cache.incr(key)
        except ValueError:  # the key has just expired
            attempts = 1
            self.cache.set(key, attempts, limit.forget_after)
        self.cache.touch(key, limit.forget_after)
        pause = limit.pause_after(attempts)
        if not pause or self.cache.add(_pause_key(counter), now + pause, pause):
            return 0
        return pause

    def correct(self, *counters: Counter, by_one: bool) -> None:
        for counter in counters:
            key = _count_key(counter)
            if by_one and self.cache.get(key, 0) > 0:
                self.cache.decr(key)
            elif not by_one:
                self.cache.delete(key)
            self.cache.delete(_pause_key(counter))


def _count_key(counter: Counter) -> str:
    return f"attempts-{counter.key}"


def _pause_key(counter: Counter) -> str:
    return f"attempts-pause-{counter.key}"


class StoredAttempts:
    """Uses one row for each counter. A refusal takes a single query, since there may be many."""

    def count(self, *counters: Counter) -> float:
        limits = {counter.key: counter.limit for counter in counters}
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
        rows = AttemptCount.objects.filter(key__in=[counter.key for counter in counters])
        if by_one:
            rows.filter(attempts__gt=0).update(attempts=F("attempts") - 1, paused_until=None)
        else:
            rows.delete()


def _wait(rows: Iterable[AttemptCount]) -> float:
    """Return the seconds until the last pause of `rows` ends, or 0."""
    now = timezone.now()
    ends = [row.paused_until for row in rows if row.paused_until and row.paused_until > now]
    return max((end - now).total_seconds() for end in ends) if ends else 0


def _count_in_row(row: AttemptCount, limit: Limit) -> None:
    now = timezone.now()
    row.attempts = 1 if row.forgotten_at <= now else row.attempts + 1
    pause = limit.pause_after(row.attempts)
    row.paused_until = now + timedelta(seconds=pause) if pause else None
    row.forgotten_at = now + timedelta(seconds=limit.forget_after)
    row.save()


def forget_old_attempts() -> int:
    """Delete the expired rows. Returns their number."""
    return AttemptCount.objects.filter(forgotten_at__lt=timezone.now()).delete()[0]
