"""The hourly work: count what changed, find the trends of each audience, tell of bursts."""

import logging
import time
from datetime import UTC, datetime

from ainews_site.infra import db_clock
from feeds.coordination.lease import Held, lease
from feeds.trends import board
from feeds.trends.count import count_days
from feeds.trends.describe import describe
from feeds.trends.find import find_rises
from feeds.trends.follow import alert
from feeds.trends.tallies import load, see

LEASE = "trends"
LONGEST = 1_200.0
"""Seconds for all readers, within the slow queue's time-out; who is left comes first later."""

logger = logging.getLogger(__name__)


def update_trends(now: datetime | None = None) -> int:
    """Bring everyone's trends up to date; how many alerts came of it. Does nothing while
    another process does the same."""
    now = now or db_clock.now()
    with lease(LEASE) as held:
        if held is None:
            return 0
        started = time.monotonic()
        days = count_days(now, held.renew)
        alerts = _find(now, held, started + LONGEST)
    logger.info(
        "trends_updated days=%s alerts=%s seconds=%.1f", days, alerts, time.monotonic() - started
    )
    return alerts


def _find(now: datetime, held: Held, until: float) -> int:
    tallies = load(now.astimezone(UTC).date())
    alerts, done = 0, set[int | None]()
    for sources, users in _longest_ago():
        if time.monotonic() > until or not held.renew():
            break
        seen = see(tallies, sources)
        rises = find_rises(seen)
        trends = describe(seen, rises)
        for user in users:
            board.write(user, trends, now)
        alerts += alert(seen, rises, users, now)
        done.update(users)
    else:
        board.forget_others(done)
    return alerts


def _longest_ago() -> list[tuple[frozenset[int], list[int | None]]]:
    """The public audience, then those whose trends were found longest ago, or never."""
    made = board.made()
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(
        board.audiences(),
        key=lambda one: (None not in one[1], min(made.get(user, never) for user in one[1])),
    )
