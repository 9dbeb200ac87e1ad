"""The index stays in step with the items, whatever is done to their rows and tables."""

from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models
from django.db.models.signals import post_migrate, pre_migrate
from django.utils import timezone

from accounts.models import User
from feeds.apps import attach_search, detach_search
from feeds.models import Item, ItemBody
from feeds.search.postgres.index import ensure_index as ensure_postgres_index
from feeds.search.postgres.index import merge_pending
from feeds.search.run import search_items
from feeds.search.sqlite.index import ensure_index as ensure_sqlite_index
from tests.make import make_item, make_source

pytestmark = pytest.mark.django_db
sqlite_only = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"] != "django.db.backends.sqlite3", reason="SQLite's own"
)


def ensure_index() -> bool:
    is_postgres = connection.vendor == "postgresql"
    return (ensure_postgres_index if is_postgres else ensure_sqlite_index)(connection)


def found(user: User, text: str) -> list[str]:
    return [item.title for item in search_items(user, text).items]


def run(statement: str, *parameters: object) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def check_integrity() -> None:
    """The index holds of each item what would be made of it now, and nothing else."""
    if connection.vendor == "sqlite":  # compares the index with the view and raises
        run("INSERT INTO feeds_search (feeds_search, rank) VALUES ('integrity-check', 1)")
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM feeds_search s FULL JOIN (SELECT i.id, i.source_id,"
            " feeds_search_vector(feeds_search_stemmer(i.language), i.title, i.summary, b.text)"
            " AS vector FROM feeds_item i JOIN feeds_itembody b ON b.item_id = i.id) w"
            " ON w.id = s.item_id WHERE (w.source_id, w.vector::text)"
            " IS DISTINCT FROM (s.source_id, s.vector::text)"
        )
        assert cursor.fetchone()[0] == 0


def test_a_summary_of_its_own_is_found_and_shown(reader: User) -> None:
    make_item(
        make_source(reader=reader), "Title", text="nothing here", summary="A kestrel in short"
    )

    (item,) = search_items(reader, "kestrel").items

    assert item.marked_snippet == "A <mark>kestrel</mark> in short"  # type: ignore[attr-defined]


def test_the_index_follows_a_summary_and_a_text_changed_together(reader: User) -> None:
    item = make_item(make_source(reader=reader), text="one two three")

    Item.objects.filter(pk=item.pk).update(summary="four five")
    ItemBody.objects.filter(pk=item.pk).update(text="six seven")

    assert found(reader, "one") == []
    assert len(found(reader, "four six")) == 1
    check_integrity()


@pytest.mark.parametrize("tables", [("item", "itembody"), ("itembody", "item")])
def test_rows_leave_the_index_in_either_order_of_deletion(
    reader: User, tables: tuple[str, str]
) -> None:
    item = make_item(make_source(reader=reader), "Kestrel", text="kestrel")
    column = {"item": "id", "itembody": "item_id"}

    for table in tables:
        run(f"DELETE FROM feeds_{table} WHERE {column[table]} = %s", item.pk)

    assert found(reader, "kestrel") == []
    check_integrity()


@sqlite_only
def test_an_index_of_another_shape_is_made_anew(reader: User) -> None:
    make_item(make_source(reader=reader), "Kestrel")
    run("DROP TABLE feeds_search")
    run("CREATE VIRTUAL TABLE feeds_search USING fts5(title, text)")

    assert ensure_index()

    assert found(reader, "kestrel") == ["Kestrel"]
    assert not ensure_index()


@sqlite_only
@pytest.mark.django_db(transaction=True)
def test_a_migration_may_remake_the_tables(reader: User) -> None:
    make_item(make_source(reader=reader), "Kestrel")
    plan: Any = [(type("Migration", (), {"app_label": "feeds"})(), False)]
    field = models.CharField(max_length=201, blank=True)
    field.set_attributes_from_name("author")

    sender: Any = type("Sender", (), {"label": "feeds"})
    detach_search(sender, using="default", plan=plan)
    with connection.schema_editor() as editor:
        editor.alter_field(Item, Item._meta.get_field("author"), field, strict=True)
        editor._remake_table(ItemBody)
    attach_search(sender, using="default")

    make_item(make_source("other", reader=reader), "Another kestrel")
    assert len(found(reader, "kestrel")) == 2
    check_integrity()


def test_the_index_is_detached_before_and_attached_after_a_migration() -> None:
    assert any(detach_search in [ref() for ref in one[1:2]] for one in pre_migrate.receivers)
    assert any(attach_search in [ref() for ref in one[1:2]] for one in post_migrate.receivers)


def test_migrating_again_leaves_the_index_alone(reader: User) -> None:
    make_item(make_source(reader=reader), "Kestrel")

    call_command("migrate", verbosity=0)

    assert not ensure_index()
    assert found(reader, "kestrel") == ["Kestrel"]


def test_stray_marks_in_a_text_leave_no_tag_open(reader: User) -> None:
    make_item(make_source(reader=reader), "A \x02kestrel\x02 \x03 flies", text="\x02 x")

    (item,) = search_items(reader, "kestrel").items

    title = item.marked_title  # type: ignore[attr-defined]
    assert title.count("<mark>") == title.count("</mark>")


def test_lost_triggers_are_made_again_and_the_index_is_rebuilt(reader: User) -> None:
    on = " ON feeds_itembody" if connection.vendor == "postgresql" else ""
    run(f"DROP TRIGGER feeds_search_insert{on}")
    make_item(make_source(reader=reader), "Missed")
    assert found(reader, "missed") == []

    assert ensure_index()

    assert found(reader, "missed") == ["Missed"]
    assert not ensure_index()
    check_integrity()


def test_the_index_follows_updates_and_deletions(reader: User) -> None:
    item = make_item(make_source(reader=reader), "Before", text="first")
    Item.objects.filter(pk=item.pk).update(title="After", summary="")
    ItemBody.objects.filter(pk=item.pk).update(text="second")
    assert found(reader, "before") == found(reader, "first") == []
    assert found(reader, "after") == found(reader, "second") == ["After"]
    check_integrity()

    Item.objects.get(pk=item.pk).delete()

    assert found(reader, "after") == []
    check_integrity()


@pytest.mark.skipif(connection.vendor != "postgresql", reason="GIN keeps such a list")
def test_what_came_is_sorted_into_the_index_while_nobody_waits() -> None:
    # An hour ago, when items of tests are published, may be in a month without a partition.
    item = make_item(make_source(), "Plan of a kestrel", published=timezone.now())

    merge_pending([item.pk])

    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass || '_vector_idx' FROM feeds_search")
        cursor.execute("SELECT gin_clean_pending_list(%s::regclass)", cursor.fetchone())
        assert cursor.fetchone() == (0,)
