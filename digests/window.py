"""Which hours an edition covers, in its reader's own time zone. Pure."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from accounts.zones import zone_named

LATE = timedelta(days=2)
"""Feeds bring news late: what arrived in the window may be dated this much earlier."""


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


def reader_today(zone_name: str, now: datetime) -> date:
    return now.astimezone(zone_named(zone_name)).date()


def window_of(day: date, zone_name: str, now: datetime) -> Window:
    """The whole of `day`; for today, the 24 hours before `now`."""
    zone = zone_named(zone_name)
    if day >= now.astimezone(zone).date():
        return Window(now - timedelta(hours=24), now)
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    return Window(start, datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC))
