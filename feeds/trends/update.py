"""The hourly update: count changed days, find the trends of each audience, create alerts."""

import logging
import time
from datetime import UTC, datetime

from ainews_site.infra import db_clock
from ainews_site.infra.stopping import is_stopping, leave_rest
from feeds.coordination.lease import Held, lease
from feeds.trends import board
from feeds.trends.count import count_days
from feeds.trends.describe import describe
from feeds.trends.find import find_rises
from feeds.trends.follow import create_alerts
from feeds.trends.tallies import load, restrict_to

LEASE = "trends"
LONGEST = 1_200.0
"""Time limit of one run in seconds, less than the slow queue's timeout. Audiences that were not
reached are processed first in the next run."""

logger = logging.getLogger(__name__)


def update_trends(now: datetime | None = None) -> int:
    """Update the trends of all readers. Return how many alerts were created.

    Does nothing while another process is updating.
    """
    now = now or db_clock.now()
    with lease(LEASE) as held:
        if held is None:
            return 0
        started = time.monotonic()
        days = count_days(now, held.renew)
        alerts = _update_boards(now, held, started + LONGEST)
    logger.info(
        "trends_updated days=%s alerts=%s seconds=%.1f", days, alerts, time.monotonic() - started
    )
    return alerts


def _update_boards(now: datetime, held: Held, until: float) -> int:
    tallies = load(now.astimezone(UTC).date())
    alerts, done = 0, set[int | None]()
    for sources, users in _oldest_first():
        if is_stopping():
            leave_rest()
            break
        if time.monotonic() > until or not held.renew():
            break
        visible = restrict_to(tallies, sources)
        rises = find_rises(visible)
        trends = describe(visible, rises)
        for user in users:
            board.write(user, trends, now)
        alerts += create_alerts(visible, rises, users, now)
        done.update(users)
    else:
        board.delete_others(done)
    return alerts


def _oldest_first() -> list[tuple[frozenset[int], list[int | None]]]:
    """All audiences: the public one, then those whose boards are oldest or missing."""
    last_updates = board.last_updates()
    never = datetime.min.replace(tzinfo=UTC)
    return sorted(
        board.audiences(),
        key=lambda pair: (
            None not in pair[1],
            min(last_updates.get(user, never) for user in pair[1]),
        ),
    )
