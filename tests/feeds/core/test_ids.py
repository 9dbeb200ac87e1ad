"""Ids sort by time, contain it, and are exact in JavaScript."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from feeds.core.ids import id_time, lowest_id, make_id

MOMENTS = st.datetimes(
    min_value=datetime(1995, 1, 1), max_value=datetime(2090, 1, 1), timezones=st.just(UTC)
)


@given(MOMENTS, st.integers(0, 2**40))
def test_an_id_carries_its_second_and_is_exact_in_javascript(moment: datetime, seq: int) -> None:
    made = make_id(moment, seq)

    assert id_time(made) == moment.replace(microsecond=0)
    assert lowest_id(moment) <= made < 2**53


@given(MOMENTS, MOMENTS, st.integers(0, 2**40), st.integers(0, 2**40))
def test_ids_sort_by_time(a: datetime, b: datetime, m: int, n: int) -> None:
    if int(a.timestamp()) < int(b.timestamp()):
        assert make_id(a, m) < make_id(b, n)
