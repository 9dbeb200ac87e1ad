"""The present time by the clock of the database, which all machines share.

Several machines compare the end of a lease with the present. If each used its own clock, a machine
whose clock is an hour ahead would take over leases that others still hold. SQLite runs on a single
machine, so its clock is used.
"""

import time
from datetime import datetime, timedelta

from django.db import connection
from django.utils import timezone

from ainews_site.infra.process_state import resets_process_state

FRESH = 30.0
"""How long the time of the last query is extrapolated, in seconds."""
TOLERATED = timedelta(seconds=30)
"""A smaller difference of the two clocks is not reported."""
FURTHEST = timedelta(days=1)
"""No lease lasts this long. One that ends later was written by a machine with a wrong clock."""
_last_query: tuple[float, datetime] | None = None
"""When the database was last queried: (`_ticks()`, time of the database)."""


@resets_process_state
def clear_last_query() -> None:
    """Let the next call query the database."""
    global _last_query
    _last_query = None


def now() -> datetime:
    """Return the present time. Queries the database at most every FRESH seconds."""
    if connection.vendor == "sqlite":
        return timezone.now()
    if _last_query is None or (age := _ticks() - _last_query[0]) > FRESH:
        return exact_now()
    return _last_query[1] + timedelta(seconds=age)


def exact_now() -> datetime:
    """Query the database for the present time."""
    global _last_query
    if connection.vendor == "sqlite":
        return timezone.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        moment: datetime = cursor.fetchone()[0]
    _last_query = _ticks(), moment
    return moment


def problem() -> str:
    """Return a warning if this machine's clock differs from the database's, else ""."""
    ahead = timezone.now() - exact_now()
    if abs(ahead) < TOLERATED:
        return ""
    seconds = abs(ahead).total_seconds()
    by = f"{seconds / 60:,.0f} minutes" if seconds > 90 else f"{seconds:.0f} seconds"
    return (
        f"This machine's clock is {by} {'ahead of' if ahead > timedelta(0) else 'behind'} the"
        " database's. Set it: timedatectl set-ntp true. Until then, polling and dates use the"
        " database's clock."
    )


def _ticks() -> float:
    """Return monotonic seconds that include the time for which the machine was suspended."""
    if hasattr(time, "CLOCK_BOOTTIME"):
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()
