"""What time it is for all machines together: by the database's clock.

Leases, dates and messages pass from one machine to another. If each went by its own clock, one
that is an hour ahead would take what the others hold, and one behind would let go of its own.
SQLite is on one machine, whose clock is the database's.
"""

import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

FRESH = 30.0
"""Seconds for which the database's clock is known without asking."""
TOLERATED = timedelta(seconds=30)
FURTHEST = timedelta(days=1)
"""No lease lasts so long: one that ends later was given by a clock that was wrong."""
_asked: tuple[float, datetime] | None = None


def now() -> datetime:
    """The present, asked of the database at most every half a minute."""
    if connection.vendor == "sqlite":
        return timezone.now()
    if _asked is None or (age := _ticks() - _asked[0]) > FRESH:
        return ask()
    return _asked[1] + timedelta(seconds=age)


def ask() -> datetime:
    """The present as the database has it at this moment."""
    global _asked
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    _asked = _ticks(), moment
    return moment


def problem() -> str:
    """A sentence on this machine's clock where it differs from the database's, else empty."""
    ahead = timezone.now() - ask()
    if abs(ahead) < TOLERATED:
        return ""
    seconds = abs(ahead).total_seconds()
    by = f"{seconds / 60:,.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
    return (
        f"This machine's clock is {by} {'ahead of' if ahead > timedelta(0) else 'behind'} the"
        " database's. Set it: timedatectl set-ntp true. Sources are polled and dated by the"
        " database's clock meanwhile."
    )


def _ticks() -> float:
    """Seconds that no setting of the clock moves, and that go on while a machine sleeps."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
