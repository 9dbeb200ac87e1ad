"""Plans of queries that must not read a whole table."""

import re
from datetime import UTC, datetime

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.core.ids import lowest_id
from feeds.core.partitions import ensure_partitions, spans
from feeds.models import Item, ItemKey, Source
from feeds.stories.grouping.edit import delete_items
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db
postgres_only = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="SQLite has plain tables"
)
LARGE = r"feeds_(item|itemkey|itembody|itemstate|story)"
WHOLE = {
    "sqlite": re.compile(rf"^SCAN {LARGE}( |$)"),
    "postgresql": re.compile(rf"Seq Scan on {LARGE}"),
}


def plan_of(sql: str) -> list[str]:
    """Return the query plan. Sequential scans are off, as PostgreSQL scans small tables."""
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute(f"EXPLAIN QUERY PLAN {sql}")
            return [str(row[3]) for row in cursor.fetchall()]
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN {sql}")
        return [str(row[0]) for row in cursor.fetchall()]


def test_deleting_an_item_reads_no_table_whole() -> None:
    source = make_source()
    original, copy = (make_item(source, f"Item {n}") for n in range(2))
    make_story(original, copy)
    Item.objects.filter(pk=copy.pk).update(copy_of=original.pk)

    with CaptureQueriesContext(connection) as captured:
        delete_items([original])

    asked = [one["sql"] for one in captured if re.match("SELECT|UPDATE|DELETE", one["sql"])]
    plans = {sql: plan_of(sql) for sql in asked}
    whole = WHOLE[connection.vendor]
    assert not {sql: plan for sql, plan in plans.items() if any(map(whole.search, plan))}
    used = "\n".join(line for plan in plans.values() for line in plan)
    assert re.search("item_key_item", used)
    # PostgreSQL names the index of each partition after the table and the column.
    assert re.search("item_copy_of|copy_of_idx", used)
    assert not Item.objects.filter(pk=original.pk).exists()
    assert Item.objects.get(pk=copy.pk).copy_of is None
    assert ItemKey.objects.get(pk=original.seq).item_id is None


@postgres_only
def test_partitions_made_later_have_the_index_of_copies() -> None:
    ensure_partitions([lowest_id(datetime(2031, 5, 4, tzinfo=UTC))])

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%(copy_of)%WHERE (copy_of IS NOT"
            " NULL)'"
        )
        tables = {row[0] for row in cursor.fetchall()}
    assert {span.table("feeds_item") for span in spans()} <= tables
    assert "feeds_item_2031_05" in tables


def test_visible_sources_are_found_by_the_subscriptions_of_the_reader_alone() -> None:
    """A join would read the subscriptions of all readers."""
    reader = make_user()
    make_source(reader=reader)

    query = str(Source.objects.visible_to(reader).query)
    plan = "\n".join(plan_of(query))

    assert "JOIN" not in query
    assert "DISTINCT" not in query
    assert "subscription_unique" in plan or "(user_id=? AND source_id=?)" in plan
    assert "feeds_subscription_source_id" not in plan
