"""Decides when a source is polled next, and when a permanent redirect is trusted. Pure."""

import random
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

MINUTE = 60
HOUR = 60 * MINUTE
DAY = 24 * HOUR
SHORTEST = 5 * MINUTE
LONGEST = DAY
POLLS_PER_ITEM = 4
"""Number of polls in the mean time between two items. News is late by an eighth of that time."""
FIRST_BACK_OFF = 10 * MINUTE
LONGEST_TOO_MANY = 6 * HOUR
TOO_MANY_REQUESTS = 429
WEEK = timedelta(days=7)
RARELY_AFTER = timedelta(days=30)

_chance = random.Random()  # noqa: S311 - spreads polls, guards nothing


@dataclass(frozen=True, slots=True)
class PollHints:
    """What a feed and its server ask of those who poll it.

    Durations are in seconds, hours in UTC, and weekdays numbers with Monday as 0.
    """

    ttl: int | None = None
    max_age: int | None = None
    retry_after: int | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()

    @property
    def min_wait(self) -> int:
        """The longest requested wait in seconds, at most a day."""
        return min(max(self.ttl or 0, self.max_age or 0, self.retry_after or 0, 0), DAY)


NO_HINTS = PollHints()


@dataclass(frozen=True, slots=True)
class Move:
    """The state of a permanent redirect to store. `adopt` means that it is trusted now."""

    moved_to: str = ""
    moved_since: datetime | None = None
    adopt: bool = False


def items_per_day(published: Iterable[datetime], now: datetime) -> float:
    """Return the mean number of items a day over the last week."""
    return sum(1 for moment in published if now - WEEK <= moment <= now) / 7


def next_poll(
    now: datetime,
    *,
    items_per_day: float,
    hints: PollHints = NO_HINTS,
    chance: random.Random = _chance,
) -> datetime:
    """Return when to poll again after a success, by how often the source publishes.

    The wait is between 5 minutes and 24 hours, with 10 % jitter, and never less than requested.
    """
    usual = usual_interval(items_per_day) * chance.uniform(0.9, 1.0)
    wanted = hints.min_wait * chance.uniform(1.0, 1.1)
    wait = min(max(usual, wanted, SHORTEST), LONGEST)
    return _after_skips(now + timedelta(seconds=wait), hints)


def usual_interval(items_per_day: float) -> int:
    """Return the seconds between polls of a source that publishes so often."""
    if items_per_day <= 0:
        return LONGEST
    return int(min(max(DAY / items_per_day / POLLS_PER_ITEM, SHORTEST), LONGEST))


def next_try(
    now: datetime,
    *,
    failures: int,
    status: int = 0,
    failing_since: datetime | None = None,
    hints: PollHints = NO_HINTS,
    chance: random.Random = _chance,
) -> datetime:
    """Return when to poll again after the `failures`-th failure in a row.

    The wait is 10 minutes at first, and then doubles up to 24 hours (6 after a 429). It is a day
    once the source has failed for 30 days, and never less than requested. A source is never given
    up.
    """
    cap = LONGEST_TOO_MANY if status == TOO_MANY_REQUESTS else LONGEST
    wait = min(FIRST_BACK_OFF * 2 ** min(max(failures, 1) - 1, 20), cap)
    if failing_since and now - failing_since >= RARELY_AFTER:
        wait = DAY
    spread = wait * chance.uniform(0.8, 1.0)
    return now + timedelta(seconds=max(spread, min(hints.min_wait, DAY)))


def judge_move(
    permanent_url: str, *, moved_to: str, moved_since: datetime | None, now: datetime
) -> Move:
    """Decide whether to adopt a permanent redirect: once it has had the same target for 7 days.

    `permanent_url` is the target of this fetch, or "" if the old address answered, which resets
    the state. `moved_to` and `moved_since` are the state that the last fetch stored.
    """
    if not permanent_url:
        return Move()
    if permanent_url != moved_to or moved_since is None:
        return Move(permanent_url, now)
    return Move(moved_to, moved_since, adopt=now - moved_since >= WEEK)


def _after_skips(moment: datetime, hints: PollHints) -> datetime:
    """Return the first time from `moment` on that the hints do not exclude.

    Hints that exclude all times are ignored.
    """
    later = moment
    for _ in range(7 * 24 + 1):
        if later.hour not in hints.skip_hours and later.weekday() not in hints.skip_days:
            return later
        later = later.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        later += timedelta(seconds=moment.minute * 10 + moment.second // 6)
    return moment
