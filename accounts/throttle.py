"""Makes whoever guesses something wait: passwords, API tokens.

An attempt is counted before it is made, so that parallel guesses count as well. Afterwards,
`give_back` and `forget` correct the counts where the attempt was no guess. Attempts are counted
in the shared cache (REDIS_URL), or in the database where there is none or it does not answer.

    guesses = Counter(Limit("door", free=5), address)
    take(guesses)  # raises TooMany
    if opens(door):
        forget(guesses)
"""

from collections.abc import Callable
from typing import TypeVar

from django.conf import settings

from accounts.attempts import CachedAttempts, StoredAttempts
from accounts.limits import Counter, TooMany
from ainews_site.infra.cache import CacheUnavailable, with_cache

T = TypeVar("T")


def take(*counters: Counter) -> None:
    """Count an attempt under each counter. Raises TooMany, and counts nothing, while one of
    them has to wait."""
    if wait := _in_store(lambda store: store.take(*counters)):
        raise TooMany(wait)


def give_back(*counters: Counter) -> None:
    """Take the last attempt back."""
    _in_store(lambda store: store.correct(*counters, by_one=True))


def forget(*counters: Counter) -> None:
    """Take all attempts back."""
    _in_store(lambda store: store.correct(*counters, by_one=False))


def _in_store(act: Callable[[CachedAttempts | StoredAttempts], T]) -> T:
    if settings.REDIS_URL:
        try:
            return with_cache(lambda cache: act(CachedAttempts(cache)))
        except CacheUnavailable:
            pass
    return act(StoredAttempts())
