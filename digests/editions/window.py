"""When editions are due, and which hours each covers, in its reader's own time zone. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from ainews_site.infra.timezones import zone_named

LATE = timedelta(days=2)
"""Feeds bring news late: what arrived in the window may be dated this much earlier."""
DAY = timedelta(hours=24)
LONGEST = timedelta(days=8)
"""No edition covers more: a week, and a day for a worker that was away."""
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """The hour of a zone's own clock and the weekdays, Monday is 0; without days, never."""

    hour: int
    zone_name: str = "UTC"
    days: frozenset[int] = field(default=EVERY_DAY)

    @classmethod
    def of(cls, hour: int, zone_name: str, days: Iterable[str]) -> "Schedule":
        """`days` as they are kept: "024" is Monday, Wednesday, Friday."""
        return cls(hour, zone_name, frozenset(map(int, days)))

    def moment(self, day: date) -> datetime:
        """The hour on that day, in UTC. One that a change of the clocks leaves out comes right
        after the change; one that comes twice counts the first time (PEP 495, fold 0)."""
        return datetime.combine(day, time(self.hour), zone_named(self.zone_name)).astimezone(UTC)

    def last_due(self, now: datetime) -> date | None:
        """The latest day whose edition is due by `now`; None where there is never one."""
        today = reader_today(self.zone_name, now)
        days = (today - timedelta(days=ago) for ago in range(8))
        return next((day for day in days if self._has(day) and self.moment(day) <= now), None)

    def next_due(self, now: datetime) -> datetime | None:
        """When the next one comes."""
        today = reader_today(self.zone_name, now)
        days = (today + timedelta(days=ahead) for ahead in range(8))
        moments = (self.moment(day) for day in days if self._has(day))
        return next((moment for moment in moments if moment > now), None)

    def moment_before(self, moment: datetime) -> datetime | None:
        """The last time before `moment` that one was due."""
        day = self.last_due(moment - timedelta(seconds=1))
        return None if day is None else self.moment(day)

    def _has(self, day: date) -> bool:
        return day.weekday() in self.days


def reader_today(zone_name: str, now: datetime) -> date:
    return now.astimezone(zone_named(zone_name)).date()


def whole_day(day: date, zone_name: str) -> Window:
    """From midnight to midnight, which may be 23 or 25 hours."""
    zone = zone_named(zone_name)
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    return Window(start, datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC))


def since_last(
    day: date, schedule: Schedule, now: datetime, last_end: datetime | None = None
) -> Window:
    """What the edition of `day`, written `now`, covers: the time since the one before it was due
    or, if that came to nothing, since `last_end`, the end of what was told; at least 24 hours.

    A weekly edition covers the week, Monday's of the weekdays the days since Friday.
    """
    due = schedule.moment(day)
    before = schedule.moment_before(min(due, now)) or now - DAY
    start = min(before, now - DAY, last_end or before)
    return Window(max(start, now - LONGEST), now)


def window_of(
    day: date, schedule: Schedule, now: datetime, last_end: datetime | None = None
) -> Window:
    """The whole of a day that is past; for today, the time since the last edition."""
    if day < reader_today(schedule.zone_name, now):
        return whole_day(day, schedule.zone_name)
    return since_last(day, schedule, now, last_end)
