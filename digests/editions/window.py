"""When editions are due, and which time each covers, in the reader's time zone. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from ainews_site.infra.timezones import zone_named

LATE = timedelta(days=2)
"""Items that arrive in the window may have been published this much earlier."""
DAY = timedelta(hours=24)
LONGEST = timedelta(days=8)
"""The longest window: a week, and a day in case no worker was running."""
EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Window:
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Schedule:
    """The local hour and the weekdays (Monday is 0) of editions. Without days there are none."""

    hour: int
    zone_name: str = "UTC"
    days: frozenset[int] = field(default=EVERY_DAY)

    @classmethod
    def of(cls, hour: int, zone_name: str, days: Iterable[str]) -> "Schedule":
        """Make a schedule from stored values. `days` "024" is Monday, Wednesday and Friday."""
        return cls(hour, zone_name, frozenset(map(int, days)))

    def due_at(self, day: date) -> datetime:
        """When the edition of `day` is due, in UTC.

        If a clock change skips the hour, it is due right after the change; if the hour occurs
        twice, at the first (PEP 495, fold 0).
        """
        return datetime.combine(day, time(self.hour), zone_named(self.zone_name)).astimezone(UTC)

    def last_due(self, now: datetime) -> date | None:
        """The latest day whose edition is due by `now`; None without days."""
        today = reader_today(self.zone_name, now)
        days = (today - timedelta(days=ago) for ago in range(8))
        return next((day for day in days if self._has(day) and self.due_at(day) <= now), None)

    def next_due(self, now: datetime) -> datetime | None:
        """When the next edition is due; None without days."""
        today = reader_today(self.zone_name, now)
        days = (today + timedelta(days=ahead) for ahead in range(8))
        moments = (self.due_at(day) for day in days if self._has(day))
        return next((due_at for due_at in moments if due_at > now), None)

    def due_before(self, due_at: datetime) -> datetime | None:
        """When the last edition before `due_at` was due."""
        day = self.last_due(due_at - timedelta(seconds=1))
        return None if day is None else self.due_at(day)

    def _has(self, day: date) -> bool:
        return day.weekday() in self.days


def reader_today(zone_name: str, now: datetime) -> date:
    return now.astimezone(zone_named(zone_name)).date()


def whole_day(day: date, zone_name: str) -> Window:
    """The window from midnight to midnight, local time."""
    zone = zone_named(zone_name)
    start = datetime.combine(day, time.min, zone).astimezone(UTC)
    return Window(start, datetime.combine(day + timedelta(days=1), time.min, zone).astimezone(UTC))


def since_last(
    day: date, schedule: Schedule, now: datetime, last_end: datetime | None = None
) -> Window:
    """The window of the edition of `day` if it is written `now`.

    It starts when the previous edition was due or, if that edition was not written, at `last_end`,
    the end of the last one that was. It has at least 24 hours and at most LONGEST. A weekly edition
    therefore covers the week, and Monday's edition of a weekday schedule the days since Friday.
    """
    due = schedule.due_at(day)
    before = schedule.due_before(min(due, now)) or now - DAY
    start = min(before, now - DAY, last_end or before)
    return Window(max(start, now - LONGEST), now)


def window_of(
    day: date, schedule: Schedule, now: datetime, last_end: datetime | None = None
) -> Window:
    """The window of an edition on request: a past day as a whole, or the time since the last
    edition for today."""
    if day < reader_today(schedule.zone_name, now):
        return whole_day(day, schedule.zone_name)
    return since_last(day, schedule, now, last_end)
