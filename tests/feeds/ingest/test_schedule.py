"""When a source is polled next, and when a redirect is adopted."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.ingest.schedule import PollHints, items_per_day, judge_move, next_poll, next_try

NOW = datetime(2026, 5, 21, 12, 0, tzinfo=UTC)  # a Thursday
MINUTE, HOUR, DAY = 60, 3600, 86_400


def wait(moment: datetime) -> float:
    return (moment - NOW).total_seconds()


@pytest.mark.parametrize(
    ("rate", "seconds"),
    [(0, DAY), (0.1, DAY), (1, 6 * HOUR), (24, 15 * MINUTE), (1_000, 5 * MINUTE)],
)
def test_the_interval_follows_how_often_a_source_publishes(rate: float, seconds: int) -> None:
    waited = wait(next_poll(NOW, items_per_day=rate))

    assert max(0.9 * seconds, 5 * MINUTE) <= waited <= seconds


@pytest.mark.parametrize("name", ["ttl", "max_age", "retry_after"])
def test_a_source_is_never_polled_sooner_than_requested(name: str) -> None:
    waited = wait(next_poll(NOW, items_per_day=100, hints=PollHints(**{name: 2 * HOUR})))

    assert 2 * HOUR <= waited <= 2.2 * HOUR


def test_an_absurd_header_cannot_postpone_a_source_for_long() -> None:
    assert wait(next_poll(NOW, items_per_day=100, hints=PollHints(ttl=10**9))) == DAY
    assert wait(next_try(NOW, failures=1, hints=PollHints(retry_after=10**9))) == DAY


def test_hours_and_days_to_skip_are_skipped() -> None:
    afternoon = PollHints(skip_hours=frozenset(range(12, 18)))
    weekend = PollHints(skip_days=frozenset({3, 4, 5, 6}))

    assert next_poll(NOW, items_per_day=100, hints=afternoon).hour == 18
    assert next_poll(NOW, items_per_day=100, hints=weekend).weekday() == 0


def test_a_source_that_skips_all_times_is_polled_anyway() -> None:
    hints = PollHints(skip_hours=frozenset(range(24)))

    assert wait(next_poll(NOW, items_per_day=100, hints=hints)) < HOUR


def test_the_wait_doubles_with_each_failure() -> None:
    waits = [wait(next_try(NOW, failures=n)) for n in (1, 3, 5, 7, 30, 10_000)]

    assert 8 * MINUTE <= waits[0] <= 10 * MINUTE
    assert waits[:4] == sorted(waits[:4])
    assert all(0.8 * DAY <= waited <= DAY for waited in waits[4:])


def test_after_a_429_the_wait_is_at_most_six_hours_or_retry_after() -> None:
    hints = PollHints(retry_after=20 * HOUR)

    assert wait(next_try(NOW, failures=50, status=429)) <= 6 * HOUR
    assert wait(next_try(NOW, failures=50, status=429, hints=hints)) == 20 * HOUR


def test_a_source_that_failed_for_thirty_days_is_polled_once_a_day() -> None:
    since = NOW - timedelta(days=31)

    waited = wait(next_try(NOW, failures=3, status=429, failing_since=since))

    assert 0.8 * DAY <= waited <= DAY


def test_polls_are_spread() -> None:
    assert len({next_poll(NOW, items_per_day=0) for _ in range(50)}) > 40
    assert len({next_try(NOW, failures=9) for _ in range(50)}) > 40


def test_the_rate_counts_the_last_week_alone() -> None:
    dates = [NOW - timedelta(days=n) for n in range(-3, 30)]

    assert items_per_day(dates, NOW) == 8 / 7


def test_a_redirect_is_adopted_after_seven_days_with_the_same_target() -> None:
    first = judge_move("https://b.example/", moved_to="", moved_since=None, now=NOW)
    early = judge_move(
        "https://b.example/",
        moved_to=first.moved_to,
        moved_since=first.moved_since,
        now=NOW + timedelta(days=6),
    )
    late = judge_move(
        "https://b.example/",
        moved_to=early.moved_to,
        moved_since=early.moved_since,
        now=NOW + timedelta(days=7),
    )

    assert (first.adopt, early.adopt, late.adopt) == (False, False, True)


def test_another_target_or_an_answer_of_the_old_address_starts_over() -> None:
    since = NOW - timedelta(days=30)

    other = judge_move(
        "https://c.example/", moved_to="https://b.example/", moved_since=since, now=NOW
    )
    back = judge_move("", moved_to="https://b.example/", moved_since=since, now=NOW)

    assert (other.moved_since, other.adopt) == (NOW, False)
    assert (back.moved_to, back.moved_since) == ("", None)


@given(
    rate=st.floats(0, 1e6),
    ttl=st.none() | st.integers(-5, 10**12),
    hours=st.frozensets(st.integers(0, 23)),
    days=st.frozensets(st.integers(0, 6)),
    minute=st.integers(0, 59),
)
def test_the_next_poll_is_always_later_within_days_and_never_in_a_skipped_hour(
    rate: float, ttl: int | None, hours: frozenset[int], days: frozenset[int], minute: int
) -> None:
    now = NOW.replace(minute=minute)

    found = next_poll(now, items_per_day=rate, hints=PollHints(ttl, None, None, hours, days))

    assert timedelta(minutes=5) <= found - now <= timedelta(days=8, hours=1)
    if len(hours) < 24 and len(days) < 7:
        assert found.hour not in hours
        assert found.weekday() not in days
