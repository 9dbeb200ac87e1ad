"""Dates of feeds are parsed in all forms that occur."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feeds.ingest.parse.dates import parse_date

HALF_PAST_TEN = datetime(2026, 5, 21, 10, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "text",
    [
        "Thu, 21 May 2026 10:30:00 GMT",
        "Thu, 21 May 2026 12:30:00 +0200",
        "thu,21 may 2026 10:30",
        "21 May 26 10:30:00 UT",
        "Thu, 21 May 2026 06:30:00 EDT",
        "Thursday, 21-May-26 10:30:00 GMT",
        "Thu, 21 May 2026 12:30:00 GMT+2",
        "Thu, 21 May 2026 12:30:00 +02:00",
        "May 21, 2026 10:30 AM",
        "May 21st, 2026 at 10:30",
        "Thu May 21 10:30:00 2026",
        "Do, 21 Mai 2026 12:30:00 +0200",
        "jeu. 21 mai 2026 10:30:00 +0000",
        "2026-05-21T10:30:00Z",
        "2026-05-21T10:30:00.000Z",
        "2026-05-21T12:30:00+02:00",
        "2026-05-21 10:30:00",
        "2026-05-21 10:30:00 UTC",
        "2026-05-21 12:30:00 +0200",
        "2026/05/21 10:30",
        "1779359400",
        "1779359400000",
    ],
)
def test_misspelt_dates_are_parsed(text: str) -> None:
    assert parse_date(text) == HALF_PAST_TEN


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2026-05-21", 21),
        ("21 May 2026", 21),
        ("Wed, 20 May 2026 24:00:00 GMT", 21),
        ("2026-05", 1),
    ],
)
def test_a_day_alone_begins_at_midnight(text: str, day: int) -> None:
    assert parse_date(text) == datetime(2026, 5, day, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", None, "soon", "32 May 2026", "2026-13-01", "21 Foo 2026"])
def test_text_that_is_no_date_gives_none(text: str | None) -> None:
    assert parse_date(text) is None


@given(st.text(alphabet="0123456789:-+./ TZMayJunGpm,", max_size=40))
def test_no_text_raises(text: str) -> None:
    moment = parse_date(text)

    assert moment is None or moment.tzinfo is UTC
