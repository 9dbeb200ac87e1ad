"""Monthly partitions on PostgreSQL are created before rows are inserted into them."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection
from django.utils import timezone

from ainews_site.doctor import database
from feeds.core import partitions
from feeds.core.ids import lowest_id
from feeds.core.partitions import (
    Span,
    ensure_partitions,
    month_of,
    rows_in_default,
    span_for,
    spans,
    year_of,
)
from feeds.ingest.clean.entries import clean_feed
from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.types import CleanEntry
from feeds.ingest.store import store_entries
from feeds.models import Item, ItemBody, ItemState
from feeds.search.run import search_items
from feeds.tasks import make_partitions as make_months
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


def test_old_years_have_one_partition_each() -> None:
    assert span_for(at(2026, 2, 3), [], NOW).name == "2026_02"
    assert span_for(at(2024, 2, 3), [], NOW).name == "2024_02"
    assert span_for(at(2023, 2, 3), [], NOW).name == "2023"


def test_a_year_with_monthly_partitions_gets_no_yearly_one() -> None:
    there = [month_of(datetime(2023, 5, 1, tzinfo=UTC))]
    assert span_for(at(2023, 5, 9), there, NOW) == there[0]
    assert span_for(at(2023, 2, 3), there, NOW).name == "2023_02"


@postgres_only
@pytest.mark.django_db
def test_partitions_are_created_for_items_and_in_advance() -> None:
    made = ensure_partitions([at(2026, 1, 5), at(2026, 1, 9), at(2001, 5)])
    assert [span.name for span in made] == ["2001", "2026_01"]
    assert ensure_partitions([at(2026, 1, 7)]) == []
    ahead = timezone.now() + timedelta(days=80)
    assert any(lowest_id(ahead) in span for span in spans())


@postgres_only
@pytest.mark.django_db
def test_a_partition_has_a_primary_key_even_if_the_table_has_none() -> None:
    """A table with a partition on another server has none."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("ALTER TABLE feeds_item DROP CONSTRAINT feeds_item_pkey CASCADE")

        (span,) = ensure_partitions([at(2031, 5)])

        cursor.execute(
            "SELECT count(*) FROM pg_index WHERE indisprimary AND indrelid = %s::regclass",
            [span.table("feeds_item")],
        )
        assert cursor.fetchone() == (1,)


@postgres_only
@pytest.mark.django_db
def test_rows_are_in_the_partition_of_their_time() -> None:
    published = datetime(2026, 1, 5, tzinfo=UTC)
    ensure_partitions([lowest_id(published)])
    make_item(make_source(), published=published)
    with connection.cursor() as cursor:
        for table in partitions.KEYS:
            cursor.execute(f"SELECT count(*) FROM {table}_2026_01")
            assert cursor.fetchone()[0] == 1
    assert rows_in_default() == 0


@postgres_only
@pytest.mark.django_db
def test_rows_in_the_default_partition_are_moved_when_their_partition_is_created() -> None:
    reader = make_user()
    source = make_source(reader=reader)
    old = make_item(source, "Kestrel", published=datetime(2026, 1, 5, tzinfo=UTC), text="words")
    other = make_item(source, "Osprey", published=datetime(2025, 1, 5, tzinfo=UTC))
    state = ItemState.objects.create(user=reader, item=old, is_saved=True)
    ItemState.objects.create(user=reader, item=other, is_read=True)
    assert rows_in_default() == 2

    ensure_partitions([old.pk])

    assert rows_in_default() == 1
    assert set(Item.objects.values_list("title", flat=True)) == {"Kestrel", "Osprey"}
    assert ItemBody.objects.get(pk=old.pk).text == "words"
    assert ItemState.objects.get(pk=state.pk).is_saved
    assert ItemState.objects.count() == 2
    assert [item.title for item in search_items(reader, "kestrel").items] == ["Kestrel"]


def entry(published: datetime) -> CleanEntry:
    feed = f"""<rss version='2.0'><channel><title>T</title><item><title>Merlin</title>
    <link>https://m.example/{published:%Y%m}</link><pubDate>{format_datetime(published)}</pubDate>
    <description>words</description></item></channel></rss>"""
    parsed = parse_feed(feed.encode(), "", "https://m.example/")
    return clean_feed(parsed, "https://m.example/", trusts_guid=True, now=timezone.now()).entries[0]


def sql(statement: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture
def month() -> Iterator[datetime]:
    """The partition of this table exists, but others of the same month were lost."""
    published = datetime(2026, 2, 5, tzinfo=UTC)
    partitions._known.clear()  # what the test before has dropped
    ensure_partitions([lowest_id(published)])
    yield published
    for table in partitions.KEYS:
        sql(f"DROP TABLE IF EXISTS {table}_2026_02 CASCADE")
    call_command("migrate", verbosity=0)


@postgres_only
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "harm",
    [
        "DROP TABLE feeds_search_2026_02",
        "ALTER TABLE feeds_search DETACH PARTITION feeds_search_2026_02",
        "ALTER TABLE feeds_itembody DETACH PARTITION feeds_itembody_2026_02",
        "DROP TABLE feeds_item_default CASCADE",
    ],
)
def test_a_missing_partition_is_reported_and_created(month: datetime, harm: str) -> None:
    reader = make_user()
    source = make_source(reader=reader)
    item = make_item(source, "Kestrel", published=month, text="words")
    ItemState.objects.create(user=reader, item=item, is_saved=True)
    sql(harm)

    later = month + timedelta(days=2)
    stored = store_entries(source.pk, [entry(later)], now=timezone.now())

    assert len(stored.new_ids) == 1
    if "default" not in harm:
        assert "2026_02 has partitions of some tables only" in database() or rows_in_default() == 1
        assert "run manage.py migrate" in database()
    call_command("migrate", verbosity=0)
    assert database() == ""
    assert rows_in_default() == 0
    assert ItemState.objects.get().is_saved
    titles = {item.title for item in search_items(reader, "words").items}
    assert titles == {"Kestrel", "Merlin"}


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_rows_of_a_partition_that_cannot_be_created_go_to_default() -> None:
    """Another table has its name here; it could be a missing permission as well."""
    source = make_source(reader=(reader := make_user()))
    partitions._known.clear()
    sql("CREATE TABLE feeds_itembody_2025_09 (something text)")
    try:
        published = datetime(2025, 9, 5, tzinfo=UTC)
        stored = store_entries(source.pk, [entry(published)], now=timezone.now())
        assert len(stored.new_ids) == rows_in_default() == 1
        ItemState.objects.create(user=reader, item_id=stored.new_ids[0], is_read=True)
        assert "1 items are in the default partition" in database()
    finally:
        sql("DROP TABLE feeds_itembody_2025_09")
    assert make_months() == 1
    assert database() == ""
    assert ItemState.objects.get().is_read
    assert [item.title for item in search_items(reader, "words").items] == ["Merlin"]


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_a_partition_that_another_process_archived_is_created_again(month: datetime) -> None:
    """This process still has the partition in its cached list."""
    for table in ("feeds_search", "feeds_itembody", "feeds_item"):
        sql(f"ALTER TABLE {table} DETACH PARTITION {table}_2026_02")
        sql(f"DROP TABLE {table}_2026_02")
    source = make_source()
    store_entries(source.pk, [entry(month)], now=timezone.now())
    assert rows_in_default() == 1
    make_months()
    assert rows_in_default() == 0
    assert Item.objects.get().published_at == month


@postgres_only
@pytest.mark.django_db(transaction=True)
def test_many_processes_may_create_the_same_partition() -> None:
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
