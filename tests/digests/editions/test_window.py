"""Editions are due at the reader's own hour on the reader's days, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from digests.editions.window import DAY, LONGEST, Schedule, since_last, whole_day, window_of

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("day", "hour", "due_at"),
    [
        ("2026-03-28", 7, "2026-03-28T06:00"),
        ("2026-03-29", 7, "2026-03-29T05:00"),
        ("2026-03-29", 2, "2026-03-29T01:00"),
        ("2026-10-25", 2, "2026-10-25T00:00"),
        ("2026-10-25", 7, "2026-10-25T06:00"),
    ],
)
def test_the_hour_is_that_of_the_reader_s_clock(day: str, hour: int, due_at: str) -> None:
    assert Schedule(hour, BERLIN).due_at(date.fromisoformat(day)) == at(due_at)


def test_an_hour_that_comes_twice_is_due_once() -> None:
    schedule = Schedule(2, BERLIN)
    minutes = (at("2026-10-24T20:00") + timedelta(minutes=n) for n in range(0, 900, 10))

    days = [schedule.last_due(now) for now in minutes]

    assert sorted(set(days)) == [date(2026, 10, 24), date(2026, 10, 25)]
    assert days == sorted(days)


def test_an_hour_that_is_left_out_is_due_all_the_same() -> None:
    schedule = Schedule(2, BERLIN)

    assert schedule.last_due(at("2026-03-29T00:59")) == date(2026, 3, 28)
    assert schedule.last_due(at("2026-03-29T01:00")) == date(2026, 3, 29)


def test_a_weekly_edition_covers_the_week() -> None:
    mondays = Schedule.of(7, BERLIN, "0")
    now = at("2026-03-30T05:03")

    window = since_last(date(2026, 3, 30), mondays, now)

    assert mondays.last_due(now) == date(2026, 3, 30)
    assert window.start == at("2026-03-23T06:00")
    assert window.end == now


def test_monday_s_edition_of_the_weekdays_begins_on_friday() -> None:
    weekdays = Schedule.of(7, "UTC", "01234")

    assert weekdays.last_due(at("2026-05-17T12:00")) == date(2026, 5, 15)
    window = since_last(date(2026, 5, 18), weekdays, at("2026-05-18T07:00"))
    assert window.start == at("2026-05-15T07:00")


def test_what_no_edition_told_while_the_worker_was_away_is_told() -> None:
    now, end = at("2026-05-20T07:00"), at("2026-05-17T07:00")

    assert since_last(date(2026, 5, 20), Schedule(7), now, end).start == end
    old = at("2026-01-01T07:00")
    assert since_last(date(2026, 5, 20), Schedule(7), now, old).start == now - LONGEST


def test_without_days_none_is_ever_due() -> None:
    never = Schedule.of(7, "UTC", "")

    assert never.last_due(at("2026-05-20T07:00")) is None
    assert never.next_due(at("2026-05-20T07:00")) is None


def test_a_past_day_is_whole_and_may_have_25_hours() -> None:
    window = window_of(date(2026, 10, 25), Schedule(7, BERLIN), at("2026-11-01T00:00"))

    assert window == whole_day(date(2026, 10, 25), BERLIN)
    assert window.end - window.start == timedelta(hours=25)


@given(
    st.datetimes(datetime(2000, 1, 1), datetime(2040, 1, 1)),
    st.integers(0, 23),
    st.sets(st.integers(0, 6), min_size=1),
    st.sampled_from([BERLIN, "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC"]),
)
def test_windows_join_and_are_never_shorter_than_a_day(
    due_at: datetime, hour: int, days: set[int], zone: str
) -> None:
    now = due_at.replace(tzinfo=UTC)
    schedule = Schedule(hour, zone, frozenset(days))

    day, following = schedule.last_due(now), schedule.next_due(now)

    assert day is not None and following is not None
    assert schedule.due_at(day) <= now < following
    window = since_last(day, schedule, schedule.due_at(day) + timedelta(minutes=5))
    assert DAY <= window.end - window.start <= LONGEST
    before = schedule.due_before(schedule.due_at(day))
    assert before is not None and window.start <= before
