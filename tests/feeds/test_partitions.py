"""Partitions by month on PostgreSQL, made before their rows come."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.utils import timezone

from feeds import partitions
from feeds.ids import lowest_id
from feeds.models import Item, ItemBody, ItemState
from feeds.partitions import Span, ensure_partitions, month_of, span_for, spans, strays, year_of
from feeds.search.run import search_items
from tests.make import make_item, make_source, make_user

postgres_only = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3",
    reason="SQLite has plain tables",
)
NOW = datetime(2026, 11, 24, tzinfo=UTC)


def at(year: int, month: int, day: int = 1) -> int:
    return lowest_id(datetime(year, month, day, tzinfo=UTC))


def test_a_month_and_a_year_are_ranges_of_ids() -> None:
    december = month_of(datetime(2025, 12, 31, 23, 59, tzinfo=UTC))
    assert december == Span(at(2025, 12), at(2026, 1))
    assert (december.name, year_of(NOW).name) == ("2025_12", "2026")
    assert at(2026, 1) not in december


def test_what_is_long_past_has_a_partition_a_year() -> None:
    assert span_for(at(2026, 2, 3), [], NOW).name == "2026_02"
    assert span_for(at(2024, 2, 3), [], NOW).name == "2024_02"
    assert span_for(at(2023, 2, 3), [], NOW).name == "2023"


def test_a_year_that_began_by_months_goes_on_by_months() -> None:
    there = [month_of(datetime(2023, 5, 1, tzinfo=UTC))]
    assert span_for(at(2023, 5, 9), there, NOW) == there[0]
    assert span_for(at(2023, 2, 3), there, NOW).name == "2023_02"


@postgres_only
@pytest.mark.django_db
def test_months_are_made_for_the_items_to_come_and_ahead() -> None:
    made = ensure_partitions([at(2026, 1, 5), at(2026, 1, 9), at(2001, 5)])
    assert [span.name for span in made] == ["2001", "2026_01"]
    assert ensure_partitions([at(2026, 1, 7)]) == []
    ahead = timezone.now() + timedelta(days=80)
    assert any(lowest_id(ahead) in span for span in spans())


@postgres_only
@pytest.mark.django_db
def test_rows_lie_in_the_partition_of_their_time() -> None:
    published = datetime(2026, 1, 5, tzinfo=UTC)
    ensure_partitions([lowest_id(published)])
    make_item(make_source(), published=published)
    with connection.cursor() as cursor:
        for table in partitions.KEYS:
            cursor.execute(f"SELECT count(*) FROM {table}_2026_01")
            assert cursor.fetchone()[0] == 1
    assert strays() == 0


@postgres_only
@pytest.mark.django_db
def test_what_came_unforeseen_is_moved_when_its_month_is_made() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    old = make_item(source, "Kestrel", published=datetime(2026, 1, 5, tzinfo=UTC), text="words")
    other = make_item(source, "Osprey", published=datetime(2025, 1, 5, tzinfo=UTC))
    state = ItemState.objects.create(user=reader, item=old, is_saved=True)
    ItemState.objects.create(user=reader, item=other, is_read=True)
    assert strays() == 2

    ensure_partitions([old.pk])

    assert strays() == 1
    assert set(Item.objects.values_list("title", flat=True)) == {"Kestrel", "Osprey"}
    assert ItemBody.objects.get(pk=old.pk).text == "words"
    assert ItemState.objects.get(pk=state.pk).is_saved
    assert ItemState.objects.count() == 2
    assert [item.title for item in search_items(reader, "kestrel").items] == ["Kestrel"]


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_many_processes_may_make_the_same_month() -> None:
    ids = [at(2019, month) for month in range(1, 13)] + [at(2026, 5), at(2026, 6)]

    def make(number: int) -> None:
        try:
            ensure_partitions(ids[number:] + ids[:number])
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(make, range(4)))

    assert {"2019", "2026_05", "2026_06"} <= {span.name for span in spans()}


@postgres_only
@pytest.mark.django_db
def test_the_newest_page_touches_one_partition() -> None:
    source = make_source()
    for month in (9, 10, 11):
        published = datetime(2026, month, 20, tzinfo=UTC)
        ensure_partitions([lowest_id(published)])
        make_item(source, published=published)
    query = Item.objects.filter(pk__gte=at(2026, 11)).newest_first()[:50].query
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {query}")
        plan = "\n".join(row[0] for row in cursor.fetchall())
    assert "feeds_item_2026_11" in plan and "feeds_item_2026_10" not in plan
