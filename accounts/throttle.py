"""Throttles attempts at something that can be guessed: passwords and API tokens.

Count an attempt before making it, so that parallel guesses count as well. Afterwards, correct the
count if the attempt was no guess. Attempts are counted in the shared cache (REDIS_URL), or in the
database if there is no such cache or it is down.

    guesses = Counter(Limit("door", free=5), address)
    count_attempt(guesses)  # raises TooMany
    if opens(door):
        reset_attempts(guesses)
"""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from accounts.attempts import CachedAttempts, StoredAttempts
from accounts.limits import Counter, TooMany
from ainews_site.infra.cache import CacheUnavailable, with_cache

T = TypeVar("T")


def count_attempt(*counters: Counter) -> None:
    """Count an attempt under each counter.

    Raises TooMany, and counts nothing, while one of them has to wait.
    """
    if wait := _in_store(lambda store: store.count(*counters)):
        raise TooMany(wait)


def uncount_attempt(*counters: Counter) -> None:
    """Take back the last attempt of each counter."""
    _in_store(lambda store: store.correct(*counters, by_one=True))


def reset_attempts(*counters: Counter) -> None:
    """Take back all attempts of each counter."""
    _in_store(lambda store: store.correct(*counters, by_one=False))


def _in_store(act: Callable[[CachedAttempts | StoredAttempts], T]) -> T:
    if settings.REDIS_URL:
        try:
            return with_cache(lambda cache: act(CachedAttempts(cache)))
        except CacheUnavailable:
            pass
    return act(StoredAttempts())
