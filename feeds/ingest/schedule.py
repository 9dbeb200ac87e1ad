"""Decide when a source is asked next, and when its move is believed. Pure."""

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
"""How often we ask in the mean time between two items: news are late by an eighth of it."""
FIRST_BACK_OFF = 10 * MINUTE
LONGEST_TOO_MANY = 6 * HOUR
TOO_MANY_REQUESTS = 429
WEEK = timedelta(days=7)
GIVEN_UP_ALMOST = timedelta(days=30)

_chance = random.Random()  # noqa: S311 - spreads polls, guards nothing


@dataclass(frozen=True, slots=True)
class Asked:
    """What a feed and its server ask for; seconds, weekdays with Monday 0, hours in UTC."""

    ttl: int | None = None
    max_age: int | None = None
    retry_after: int | None = None
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()

    @property
    def least(self) -> int:
        """The longest wait asked for; none can silence a source for more than a day."""
        return min(max(self.ttl or 0, self.max_age or 0, self.retry_after or 0, 0), DAY)


NOTHING_ASKED = Asked()


@dataclass(frozen=True, slots=True)
class Move:
    """What to remember of a permanent redirect; `adopt` when it is to be believed now."""

    moved_to: str = ""
    moved_since: datetime | None = None
    adopt: bool = False


def items_per_day(published: Iterable[datetime], now: datetime) -> float:
    """How often a source publishes: its items of the last week, a day."""
    return sum(1 for moment in published if now - WEEK <= moment <= now) / 7


def next_poll(
    now: datetime,
    *,
    items_per_day: float,
    asked: Asked = NOTHING_ASKED,
    chance: random.Random = _chance,
) -> datetime:
    """When to ask again after a success: by how often the source publishes.

    Between 5 minutes and 24 hours, 10 % jitter, never sooner than asked for.
    """
    usual = usual_interval(items_per_day) * chance.uniform(0.9, 1.0)
    wanted = asked.least * chance.uniform(1.0, 1.1)
    wait = min(max(usual, wanted, SHORTEST), LONGEST)
    return _after_skips(now + timedelta(seconds=wait), asked)


def usual_interval(items_per_day: float) -> int:
    """Seconds between polls of a source that publishes so often."""
    if items_per_day <= 0:
        return LONGEST
    return int(min(max(DAY / items_per_day / POLLS_PER_ITEM, SHORTEST), LONGEST))


def next_try(
    now: datetime,
    *,
    failures: int,
    status: int = 0,
    failing_since: datetime | None = None,
    asked: Asked = NOTHING_ASKED,
    chance: random.Random = _chance,
) -> datetime:
    """When to ask again after the `failures`-th failure in a row: 10 minutes, then doubling.

    At most 24 hours (6 after a 429), once a day when it has failed for 30 days, and
    never sooner than asked for. A source is never given up.
    """
    cap = LONGEST_TOO_MANY if status == TOO_MANY_REQUESTS else LONGEST
    wait = min(FIRST_BACK_OFF * 2 ** min(max(failures, 1) - 1, 20), cap)
    if failing_since and now - failing_since >= GIVEN_UP_ALMOST:
        wait = DAY
    spread = wait * chance.uniform(0.8, 1.0)
    return now + timedelta(seconds=max(spread, min(asked.least, DAY)))


def judge_move(
    permanent_url: str, *, moved_to: str, moved_since: datetime | None, now: datetime
) -> Move:
    """Believe a permanent redirect once it has led to the same place for 7 days.

    `moved_to` and `moved_since` are what the last fetch remembered; an answer from
    the old address (`permanent_url` empty) forgets them.
    """
    if not permanent_url:
        return Move()
    if permanent_url != moved_to or moved_since is None:
        return Move(permanent_url, now)
    return Move(moved_to, moved_since, adopt=now - moved_since >= WEEK)


def _after_skips(moment: datetime, asked: Asked) -> datetime:
    """The first moment that the feed does not ask to skip; one that skips all is ignored."""
    later = moment
    for _ in range(7 * 24 + 1):
        if later.hour not in asked.skip_hours and later.weekday() not in asked.skip_days:
            return later
        later = later.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        later += timedelta(seconds=moment.minute * 10 + moment.second // 6)
    return moment
