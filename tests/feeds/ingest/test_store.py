"""Every entry is stored once, however often it is served."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test.utils import CaptureQueriesContext

from feeds.coordination.revisions import CONTENT
from feeds.core.bulk import insert_rows
from feeds.core.ids import id_time, lowest_id, make_id
from feeds.ingest import new_rows
from feeds.ingest import store as ingest_store
from feeds.ingest.clean.identity import hash64
from feeds.ingest.new_rows import NewRows
from feeds.ingest.parse.types import CleanEntry, Enclosure
from feeds.ingest.store import Stored, date_entries, store_entries
from feeds.models import Item, ItemBody, ItemKey, Revision, Source
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


def test_a_guid_that_changes_at_each_fetch_creates_no_second_item() -> None:
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


def test_a_used_tail_of_an_id_is_skipped() -> None:
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


def full(**changes: object) -> CleanEntry:
    """Return an entry with all fields."""
    fields: dict[str, object] = {
        "author": "Ada",
        "summary": "In short",
        "html": "<p>Text with a <b>word</b></p>",
        "text": "Text with a word",
        "language": "de",
        "topics": ("chips", "agents"),
        "image_url": "https://outlet.example/1.png",
        "enclosures": (Enclosure("https://outlet.example/1.mp3", "audio/mpeg", 7),),
    }
    return replace(entry(1), **(fields | changes))  # type: ignore[arg-type]


def content_revision() -> int:
    row = Revision.objects.filter(name=CONTENT).first()
    return row.number if row else 0


def test_all_fields_of_an_entry_are_stored() -> None:
    source = make_source()
    given = full()

    (pk,) = store(source, given, topics=["agents", "robotics"], language="en").new_ids

    item, body, key = Item.objects.get(), ItemBody.objects.get(), ItemKey.objects.get()
    assert (item.pk, body.pk, key.item_id, item.seq) == (pk, pk, pk, key.seq)
    assert (item.source_id, key.source_id) == (source.pk, source.pk)
    assert (key.key_hash, key.alt_hash) == (given.key_hash, given.alt_hash)
    for column in ("url", "title", "author", "summary", "image_url", "language", "content_hash"):
        assert getattr(item, column) == getattr(given, column), column
    assert (item.published_at, item.fetched_at) == (given.published, NOW)
    assert (item.updated_at, item.story_id, item.story_pinned) == (None, None, False)
    assert item.topics == ["chips", "agents", "robotics"]
    assert (body.html, body.text, body.is_full_text) == (given.html, given.text, False)
    assert body.enclosures == [
        {"url": "https://outlet.example/1.mp3", "type": "audio/mpeg", "length": 7}
    ]


def test_html_that_equals_the_text_is_not_stored() -> None:
    store(make_source(), entry(1))

    assert ItemBody.objects.get().html == ""


def test_an_item_has_eight_topics_at_most_and_the_source_s_language_where_it_has_none() -> None:
    own = tuple(f"own {n}" for n in range(7))
    store(make_source(), full(topics=own, language=""), topics=["one", "two"], language="en")

    item = Item.objects.get()
    assert (item.topics, item.language) == ([*own, "one"], "en")


def test_an_update_changes_all_that_an_entry_says_and_nothing_else() -> None:
    source = make_source()
    (pk,) = store(source, entry(1), language="en").new_ids
    before = Item.objects.get()
    given = full(title="Other", url="https://outlet.example/other", content_hash=9)

    later = NOW + timedelta(hours=1)
    stored = store_entries(source.pk, [given], now=later, topics=["robotics"], language="fr")

    assert stored == Stored((), (pk,), has_other_topics=True)
    item, body = Item.objects.get(), ItemBody.objects.get()
    for column in ("url", "title", "author", "summary", "image_url", "content_hash"):
        assert getattr(item, column) == getattr(given, column), column
    assert (item.topics, item.updated_at) == (["chips", "agents", "robotics"], later)
    assert (body.html, body.text, len(body.enclosures)) == (given.html, given.text, 1)
    for column in ("seq", "published_at", "fetched_at", "language", "source_id"):
        assert getattr(item, column) == getattr(before, column), column


def test_an_update_says_whether_topics_changed() -> None:
    source = make_source()
    store(source, entry(1), entry(2), topics=["chips"])

    other = [entry(1, text="Other"), entry(2, text="Other")]
    assert not store(source, *other, topics=["chips"]).has_other_topics
    first, last = full(content_hash=3), entry(2, text="Third")
    assert store(source, first, last, topics=["chips"]).has_other_topics
    assert store(source, full(), replace(last, content_hash=4)).has_other_topics


def test_only_corrections_bump_the_revision() -> None:
    source = make_source()
    revisions = [content_revision()]
    for given, options in [
        (entry(1), {}),
        (entry(1), {}),
        (entry(1, text="Corrected"), {}),
        (entry(1, text="Corrected again"), {"rows": NewRows()}),
    ]:
        store(source, given, **options)
        revisions.append(content_revision())

    assert revisions[0] == revisions[1] == revisions[2] != revisions[3] == revisions[4]


def test_rows_of_several_sources_are_inserted_together_in_the_order_of_their_ids() -> None:
    rows, options = NewRows(), {"now": NOW, "is_first": True}
    published = [NOW - timedelta(days=days) for days in (1, 9, 2, 8)]
    entries = [entry(number, published=moment) for number, moment in enumerate(published)]
    first = store_entries(make_source("a").pk, entries[:2], rows=rows, **options)  # type: ignore[arg-type]
    second = store_entries(make_source("b").pk, entries[2:], rows=rows, **options)  # type: ignore[arg-type]
    assert not Item.objects.exists()

    with CaptureQueriesContext(connection) as queries:
        rows.insert()
        rows.insert()

    ids = sorted([*first.new_ids, *second.new_ids])
    inserted = [q["sql"] for q in queries if "feeds_itembody" in q["sql"]]
    assert len(inserted) == 1
    assert list(Item.objects.order_by("id").values_list("id", flat=True)) == ids
    assert len({seq for (seq,) in ItemKey.objects.values_list("seq")}) == 4


def test_a_first_fetch_whose_entries_are_known_stores_them_once() -> None:
    source = make_source()
    store(source, entry(1), is_first=True)

    again = store(source, entry(1), entry(2), is_first=True)

    assert len(again.new_ids) == 1 and Item.objects.count() == 2


def test_the_ledger_follows_a_new_guid() -> None:
    source = make_source()
    store(source, entry(1, guid="a"), entry(2, guid="b"), entry(3, guid="kept"))

    store(source, entry(1, guid="c"), entry(2, guid="d"), entry(3, guid="kept"))

    keys = ItemKey.objects.order_by("-seq").values_list("key_hash", flat=True)
    assert list(keys) == [hash64("c"), hash64("d"), hash64("kept")]


def test_a_link_and_title_that_a_document_has_twice_identify_nothing() -> None:
    source = make_source()
    same = {"title": "The Daily", "url": "https://outlet.example/", "text": "Same"}
    store(source, entry(1, guid="a", **same))

    stored = store(source, entry(2, guid="b", **same), entry(3, guid="c", **same))

    assert (len(stored.new_ids), len(stored.updated_ids)) == (2, 0)


def test_a_title_without_a_link_identifies_nothing() -> None:
    source = make_source()
    store(source, entry(1, guid="a", url=""))

    assert len(store(source, entry(1, guid="b", url="")).new_ids) == 1


@pytest.mark.parametrize(
    ("kept", "renamed", "new"),
    [(0, 1, 1), (0, 2, 2), (0, 3, 0), (3, 3, 3), (3, 4, 0), (4, 3, 3)],
)
def test_guids_are_ignored_if_most_entries_have_new_ones(kept: int, renamed: int, new: int) -> None:
    """The entries with new guids have different texts and dates too."""
    source = make_source()
    store(source, *(entry(n) for n in range(kept + renamed)))
    edited = [
        entry(n, guid=f"new {n}", text="Edited", published=NOW - timedelta(days=9))
        for n in range(renamed)
    ]

    stored = store(source, *edited, *(entry(n) for n in range(renamed, kept + renamed)))

    assert len(stored.new_ids) == new
    assert len(stored.updated_ids) == renamed - new


@pytest.mark.parametrize(
    ("changes", "is_known"),
    [
        ({"published": NOW + timedelta(days=9)}, True),
        ({"text": "Other"}, True),
        ({"text": "Other", "published": NOW + timedelta(hours=19, minutes=59)}, True),
        ({"text": "Other", "published": NOW - timedelta(hours=19, minutes=59)}, True),
        ({"text": "Other", "published": NOW + timedelta(hours=20)}, False),
        ({"text": "Other", "published": NOW - timedelta(hours=20)}, False),
        ({"title": "Other"}, False),
        ({"url": "https://outlet.example/other"}, False),
    ],
)
def test_an_entry_with_a_new_guid_is_known_by_its_link_and_title_on_the_same_day(
    changes: dict[str, object], is_known: bool
) -> None:
    source = make_source()
    first = {"published": NOW, **{key: "Title 1" for key in changes if key == "title"}}
    store(source, entry(1, guid="a", **first))

    stored = store(source, entry(1, guid="b", **({"published": NOW} | changes)))

    assert len(stored.new_ids) == (0 if is_known else 1)


def test_a_deleted_item_stays_away_whatever_its_entry_says_now() -> None:
    source = make_source()
    store(source, entry(1, guid="a"))
    Item.objects.all().delete()
    ItemKey.objects.update(item_id=None)

    far = NOW + timedelta(days=9)
    assert store(source, entry(1, guid="a", text="Other")) == Stored()
    assert store(source, entry(1, guid="b", text="Other", published=far)) == Stored()
    assert not Item.objects.exists()


def test_an_item_that_is_missing_without_a_trace_does_not_come_back() -> None:
    source = make_source()
    store(source, entry(1, guid="a"))
    Item.objects.all().delete()  # the ledger was not changed

    far = NOW + timedelta(days=9)
    assert store(source, entry(1, guid="b", text="Other", published=far)).new_ids == ()


def test_a_new_guid_is_compared_with_the_newest_entry_of_that_link_and_title() -> None:
    source = make_source()
    same = {"title": "The Daily", "url": "https://outlet.example/"}
    first, second = (
        entry(1, guid="a", text="One", published=NOW - timedelta(days=9), **same),
        entry(2, guid="b", text="Two", published=NOW - timedelta(days=2), **same),
    )
    store(source, first)
    store(source, second)

    assert store(source, replace(second, key_hash=hash64("c"))).new_ids == ()
    assert len(store(source, replace(first, key_hash=hash64("d"))).new_ids) == 1
    assert set(ItemKey.objects.values_list("key_hash", flat=True)) == {
        hash64(guid) for guid in "acd"
    }


def test_an_entry_that_is_known_by_its_guid_is_not_known_again_by_link_and_title() -> None:
    source = make_source()
    store(source, entry(1, guid="a"))

    retitled = entry(1, guid="a", title="Retitled")
    stored = store(source, retitled, entry(1, guid="b"))

    assert (len(stored.new_ids), len(stored.updated_ids)) == (1, 1)


def test_the_link_and_title_of_another_source_identify_nothing() -> None:
    store(make_source("one"), entry(1, guid="a"))

    assert len(store(make_source("two"), entry(1, guid="b")).new_ids) == 1


def dates(*hours: float | None, is_first: bool) -> list[timedelta]:
    """Return how long before now the stored dates are. `hours` are the entries' dates, or None."""
    entries = [
        replace(entry(n), published=None if hour is None else NOW - timedelta(hours=hour))
        for n, hour in enumerate(hours)
    ]
    dated = date_entries(entries, NOW, is_first=is_first)
    assert [one.title for one in dated] == [one.title for one in entries]
    return [NOW - one.published for one in dated if one.published]


def test_entries_without_a_date_stand_behind_the_one_before_them() -> None:
    hour, second = timedelta(hours=1), timedelta(seconds=1)

    assert dates(None, None, None, is_first=True) == [hour, 2 * hour, 3 * hour]
    assert dates(None, 5, None, None, is_first=True) == [
        second,
        5 * hour,
        5 * hour + second,
        5 * hour + 2 * second,
    ]
    assert dates(None, 5, None, is_first=False) == [timedelta(0), 5 * hour, timedelta(0)]


def test_entries_without_a_date_are_of_now_unless_the_fetch_is_the_first() -> None:
    store(make_source(), replace(entry(1), published=None))

    item = Item.objects.get()
    assert (item.published_at, item.language) == (NOW, "")


def test_entries_of_one_date_are_numbered_in_their_order() -> None:
    store(make_source(), *(entry(n, published=NOW) for n in (3, 1, 2)))

    titles = Item.objects.order_by("seq").values_list("title", flat=True)
    assert list(titles) == ["Title 3", "Title 1", "Title 2"]


@pytest.mark.parametrize(
    ("number", "sizes"), [(500, [500]), (501, [500, 1]), (1_001, [500, 500, 1])]
)
def test_a_transaction_stores_five_hundred_entries(
    number: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted: list[int] = []

    def noted(model: type, columns: Sequence[str], rows: Sequence[Any], **options: bool) -> None:
        if model is Item:
            inserted.append(len(rows))
        insert_rows(model, columns, rows, **options)  # type: ignore[type-var]

    monkeypatch.setattr(new_rows, "insert_rows", noted)
    stored = store(make_source(), *(entry(n) for n in range(number)))

    assert inserted == sizes
    assert len(set(stored.new_ids)) == Item.objects.count() == number


def test_the_results_of_several_transactions_are_added_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_store, "CHUNK", 2)
    source = make_source()
    (pk,) = store(source, entry(4)).new_ids

    changed = full(key_hash=entry(4).key_hash, alt_hash=4, published=NOW - timedelta(hours=9))
    stored = store(source, entry(1), entry(2), entry(3), changed, entry(5))

    by_id = dict(Item.objects.values_list("pk", "title"))
    assert [by_id[new] for new in stored.new_ids] == ["Title 5", "Title 3", "Title 2", "Title 1"]
    assert (stored.updated_ids, stored.has_other_topics) == ((pk,), True)


def test_partitions_are_created_for_the_dates_of_all_entries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    made: list[set[int]] = []
    monkeypatch.setattr(ingest_store, "ensure_partitions", made.append)
    undated = replace(entry(2), published=None)

    store(make_source(), entry(1), undated)

    assert made == [{lowest_id(NOW - timedelta(hours=1)), lowest_id(NOW)}]


def no_partitions(ids: object) -> None:
    raise DatabaseError("no\nroom")


@pytest.mark.django_db(transaction=True)
def test_entries_are_stored_although_their_partition_cannot_be_created(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest_store, "ensure_partitions", no_partitions)

    assert store(make_source(), entry(1)).new_ids


def test_within_a_transaction_a_partition_that_cannot_be_created_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ingest_store, "ensure_partitions", no_partitions)

    with pytest.raises(DatabaseError, match="room"):
        store(make_source(), entry(1))


@pytest.mark.django_db(transaction=True)
def test_entries_are_stored_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(model: type, *rest: object, **options: bool) -> None:
        if model is ItemBody:
            raise DatabaseError("broken")
        insert_rows(model, *rest, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(new_rows, "insert_rows", fails)

    with pytest.raises(DatabaseError, match="broken"):
        store(make_source(), entry(1))
    assert not Item.objects.exists() and not ItemKey.objects.exists()


def test_ledger_numbers_continue_after_the_greatest_ever_used() -> None:
    source = make_source()
    store(source, entry(1))
    first = ItemKey.objects.get().seq
    assert first > 0
    ItemKey.objects.all().delete()

    store(source, entry(2), entry(3))

    assert list(ItemKey.objects.order_by("seq").values_list("seq", flat=True)) == [
        first + 1,
        first + 2,
    ]


def test_several_used_tails_of_a_second_are_skipped() -> None:
    source = make_source()
    published = NOW - timedelta(hours=1)
    make_item(source, seq=700_000)  # the tails that are tried next begin anew at the end
    taken = {make_id(published, 700_001 + step) for step in (0, 1, 0x9E37B)}
    for pk in taken:
        Item.objects.create(
            id=pk, seq=0, source=source, title="Old", published_at=published, fetched_at=published
        )

    stored = store(source, entry(1), entry(2, published=published))

    assert len(set(stored.new_ids)) == 2 and not taken & set(stored.new_ids)
    assert {id_time(pk) for pk in stored.new_ids} == {published}
