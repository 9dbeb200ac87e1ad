"""Storing: every entry once, whatever comes again."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.core.ids import id_time, make_id
from feeds.ingest.clean.identity import hash64
from feeds.ingest.parse.types import CleanEntry
from feeds.ingest.store import Stored, date_entries, store_entries
from feeds.models import Item, ItemBody, ItemKey, Source
from tests.make import make_item, make_source

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def entry(number: int = 1, **changes: object) -> CleanEntry:
    guid = str(changes.pop("guid", f"guid-{number}"))
    title = str(changes.pop("title", f"Title {number}"))
    text = str(changes.pop("text", f"Text {number}"))
    url = str(changes.pop("url", f"https://outlet.example/{number}"))
    plain = CleanEntry(
        key_hash=hash64(guid),
        alt_hash=hash64(url, title),
        content_hash=hash64(title, text, url),
        url=url,
        title=title,
        author="",
        summary=text,
        html=f"<p>{text}</p>",
        text=text,
        published=NOW - timedelta(hours=number),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def store(source: Source, *entries: CleanEntry, **options: object) -> Stored:
    return store_entries(source.pk, entries, now=NOW, **options)  # type: ignore[arg-type]


def test_an_entry_becomes_an_item_with_a_body_and_a_line_in_the_ledger() -> None:
    source = make_source()
    stored = store(source, entry(1), topics=["agents"], language="en")
    item = Item.objects.get(pk=stored.new_ids[0])
    assert (item.title, item.topics, item.language) == ("Title 1", ["agents"], "en")
    assert id_time(item.pk) == NOW - timedelta(hours=1)
    assert ItemBody.objects.get(pk=item.pk).text == "Text 1"
    assert ItemKey.objects.get(pk=item.seq).item_id == item.pk


def test_storing_again_changes_nothing() -> None:
    source = make_source()
    store(source, entry(1), entry(2))
    assert store(source, entry(1), entry(2)) == Stored()
    assert Item.objects.count() == 2


def test_the_same_key_with_another_text_updates_the_item_in_its_place() -> None:
    source = make_source()
    (pk,) = store(source, entry(1)).new_ids
    stored = store(source, entry(1, title="Corrected", text="Better"))
    assert stored == Stored((), (pk,))
    item = Item.objects.get(pk=pk)
    assert (item.title, item.updated_at) == ("Corrected", NOW)
    assert ItemBody.objects.get(pk=pk).text == "Better"


def test_a_deleted_item_does_not_come_back() -> None:
    source = make_source()
    (pk,) = store(source, entry(1)).new_ids
    Item.objects.filter(pk=pk).delete()
    ItemKey.objects.update(item_id=None)
    assert store(source, entry(1)) == Stored()
    assert store(source, entry(1, guid="new guid")) == Stored()


def test_a_guid_that_changes_at_each_fetch_makes_no_second_item() -> None:
    source = make_source()
    store(source, entry(1, guid="a"), entry(2, guid="b"))
    assert store(source, entry(1, guid="c"), entry(2, guid="d")) == Stored()
    assert store(source, entry(1, guid="e"), entry(2, guid="f")) == Stored()
    assert ItemKey.objects.count() == 2


def test_an_entry_with_a_new_guid_a_new_text_and_a_new_date_is_known_where_all_guids_change() -> (
    None
):
    source = make_source()
    store(source, entry(1, guid="a"), entry(2, guid="b"), entry(3, guid="c"))
    edited = entry(1, guid="d", text="Edited", published=NOW - timedelta(days=9))
    stored = store(source, edited, entry(2, guid="e"), entry(3, guid="f"))
    assert (len(stored.new_ids), len(stored.updated_ids)) == (0, 1)


def test_a_programme_that_repeats_title_and_link_keeps_its_parts_apart() -> None:
    source = make_source()
    same = {"title": "The Daily", "url": "https://outlet.example/"}
    store(source, entry(1, guid="mon", **same), entry(2, guid="tue", text="Other", **same))
    assert Item.objects.count() == 2
    later = entry(3, guid="wed", text="Third", published=NOW + timedelta(days=2), **same)
    assert len(store(source, later).new_ids) == 1


def test_two_sources_may_use_the_same_guid() -> None:
    assert store(make_source("one"), entry(1)).new_ids
    assert store(make_source("two"), entry(1)).new_ids


def test_undated_entries_of_a_first_fetch_stand_in_the_order_of_the_feed() -> None:
    source = make_source()
    undated = [replace(entry(n), published=None) for n in (1, 2, 3)]
    store(source, *undated, is_first=True)
    assert [item.title for item in Item.objects.newest_first()] == ["Title 1", "Title 2", "Title 3"]
    assert Item.objects.newest_first()[0].published_at < NOW


def test_an_undated_entry_between_dated_ones_stands_behind_the_one_before_it() -> None:
    undated = replace(entry(2), published=None)
    dated = date_entries([entry(1), undated, entry(3)], NOW, is_first=True)
    assert dated[1].published == NOW - timedelta(hours=1, seconds=1)


def test_undated_entries_that_come_later_are_of_now() -> None:
    assert date_entries([replace(entry(1), published=None)], NOW, is_first=False)[0].published == (
        NOW
    )


def test_the_number_of_queries_does_not_grow_with_the_entries() -> None:
    def queries(source: Source, number: int) -> int:
        entries = [entry(n) for n in range(number)]
        with CaptureQueriesContext(
            connection,
        ) as first:
            store(source, *entries)
        changed = [entry(n, text=f"Changed {n}") for n in range(number)]
        with CaptureQueriesContext(connection) as second:
            store(source, *changed)
        return len(first) + len(second)

    store(make_source("first"), entry(0), entry(50))  # makes the months of PostgreSQL
    assert queries(make_source("few"), 2) == queries(make_source("many"), 50) < 25


def test_a_thousand_entries_are_stored_in_short_transactions() -> None:
    source = make_source()
    assert len(store(source, *(entry(n) for n in range(1_200))).new_ids) == 1_200
    assert ItemKey.objects.count() == ItemBody.objects.count() == 1_200


def test_numbers_ascend_by_arrival_and_follow_time_within_a_document() -> None:
    source = make_source()
    store(source, entry(1), entry(2))
    store(source, entry(0))
    titles = Item.objects.order_by("seq").values_list("title", flat=True)
    assert list(titles) == ["Title 2", "Title 1", "Title 0"]


def test_a_tail_that_is_taken_is_passed_over() -> None:
    source = make_source()
    published = NOW - timedelta(hours=1)
    next_seq = 2
    make_item(source, published=published, id=make_id(published, next_seq))
    (pk,) = store(source, entry(1)).new_ids
    assert pk != make_id(published, next_seq)
    assert id_time(pk) == published


def test_a_text_from_the_articles_page_outlives_an_update_of_the_feed() -> None:
    source = make_source()
    (pk,) = store(source, entry(1)).new_ids
    ItemBody.objects.filter(pk=pk).update(text="The whole article", is_full_text=True)
    store(source, entry(1, title="Corrected"))
    assert ItemBody.objects.get(pk=pk).text == "The whole article"
