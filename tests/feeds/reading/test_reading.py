"""The river, unread counts and marks of a reader."""

import random
import threading
from collections import Counter
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from feeds.models import Folder, Item, ItemState, Subscription
from feeds.reading.filters import Filters
from feeds.reading.item_page import get_item, neighbours
from feeds.reading.marks import mark_all_read, set_state, undo_mark
from feeds.reading.river import river
from feeds.reading.unread import unread_counts
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def titles(user: User, filters: Filters | None = None, **options: int) -> list[str]:
    return [item.title for item in river(user, filters or Filters(), **options)]


def ago(**age: float) -> object:
    return timezone.now() - timedelta(**age)


def test_the_river_is_newest_first_over_all_sources(reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    for number, source in enumerate([one, two, one, two]):
        make_item(source, f"Item {number}", published=ago(days=4**number))
    make_item(make_source("foreign"), "Not followed")
    assert titles(reader) == ["Item 0", "Item 1", "Item 2", "Item 3"]


def test_pages_follow_one_another_without_gap(reader: User) -> None:
    source = make_source(reader=reader)
    for number in range(7):
        make_item(source, f"Item {number}", published=ago(days=number * 9))
    first = river(reader, Filters(), limit=3)
    second = river(reader, Filters(), before_id=first[-1].pk, limit=3)
    third = river(reader, Filters(), before_id=second[-1].pk, limit=3)
    assert [item.title for item in first + second + third] == [f"Item {n}" for n in range(7)]


def test_filters_narrow_the_river(reader: User) -> None:
    folder = Folder.objects.create(user=reader, name="Labs")
    inner = Folder.objects.create(user=reader, name="Europe", parent=folder)
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    Subscription.objects.filter(source=two).update(folder=inner)
    first = make_item(one, "First", topics=["agents"])
    second = make_item(two, "Second", published=ago(hours=2))
    assert titles(reader, Filters(folder_id=folder.pk)) == ["Second"]
    assert titles(reader, Filters(source_id=one.pk)) == ["First"]
    assert titles(reader, Filters(topic="agents")) == ["First"]
    set_state(reader, [first.pk], read=True)
    set_state(reader, [second.pk], saved=True)
    assert titles(reader, Filters(unread=True)) == ["Second"]
    assert titles(reader, Filters(saved=True)) == ["Second"]
    assert (
        titles(reader, Filters(folder_id=Folder.objects.create(user=make_user("x"), name="Y").pk))
        == []
    )


def test_hidden_items_are_left_out(reader: User) -> None:
    item = make_item(make_source(reader=reader))
    set_state(reader, [item.pk], hidden=True)
    assert titles(reader) == []
    assert unread_counts(reader) == {}


def test_many_read_items_do_not_hide_an_old_unread_one(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source, "Old but unread", published=ago(days=20))
    read = [make_item(source, published=ago(hours=n)).pk for n in range(120)]
    set_state(reader, read, read=True)
    assert titles(reader, Filters(unread=True), limit=5) == ["Old but unread"]


def test_the_state_of_each_item_is_attached(reader: User) -> None:
    item = make_item(make_source(reader=reader))
    set_state(reader, [item.pk], read=True, saved=True)
    (found,) = river(reader, Filters())
    assert (found.is_read, found.is_saved, found.is_hidden) == (True, True, False)  # type: ignore[attr-defined]


def test_the_number_of_queries_does_not_depend_on_the_items(reader: User) -> None:
    source = make_source(reader=reader)
    counts = []
    for number in (1, 30):
        for _ in range(number):
            make_item(source)
        cache.clear()
        with CaptureQueriesContext(connection) as queries:
            river(reader, Filters())
            unread_counts(reader)
        counts.append(len(queries))
    assert counts[0] == counts[1] <= 9


def test_unread_counts_are_exact(reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    items = [make_item(one) for _ in range(5)]
    make_item(two)
    make_item(two, published=ago(days=400))
    assert unread_counts(reader) == {one.pk: 5, two.pk: 1}
    set_state(reader, [items[0].pk], read=True)
    mark_all_read(reader, [two.pk], 10**9)
    assert unread_counts(reader) == {one.pk: 4}
    mark_all_read(reader, None, items[2].seq)
    assert unread_counts(reader) == {one.pk: 2}
    set_state(reader, [items[1].pk], read=False)
    assert unread_counts(reader) == {one.pk: 3}


def test_marking_all_leaves_what_arrived_since_and_can_be_taken_back(reader: User) -> None:
    source = make_source(reader=reader)
    seen = make_item(source)
    kept = make_item(source)
    set_state(reader, [seen.pk], read=False)
    upto = kept.seq
    make_item(source, "Arrived since", published=ago(days=3))
    undo = mark_all_read(reader, None, upto)
    assert undo.item_count == 2
    assert titles(reader, Filters(unread=True)) == ["Arrived since"]
    assert not undo_mark(make_user("other"), undo.pk)
    assert undo_mark(reader, undo.pk)
    assert unread_counts(reader) == {source.pk: 3}
    assert not undo_mark(reader, undo.pk)


def test_a_mark_far_ahead_does_not_swallow_what_is_to_come(reader: User) -> None:
    source = make_source(reader=reader)
    make_item(source)
    mark_all_read(reader, None, 2**60)
    make_item(source)
    assert unread_counts(reader) == {source.pk: 1}


def test_readers_are_strangers_to_each_other(reader: User) -> None:
    other = make_user("other")
    private = make_item(make_source("private", reader=other))
    with pytest.raises(Item.DoesNotExist):
        get_item(reader, private.pk)
    assert set_state(reader, [private.pk], saved=True) == []
    assert not ItemState.objects.exists()
    assert titles(reader) == []


def test_a_saved_item_stays_after_its_source_was_left(reader: User) -> None:
    source = make_source(reader=reader)
    item = make_item(source)
    set_state(reader, [item.pk], saved=True)
    Subscription.objects.all().delete()
    assert get_item(reader, item.pk) == item
    assert titles(reader, Filters(saved=True)) == [item.title]


def test_neighbours_lead_through_the_river(reader: User) -> None:
    source = make_source(reader=reader)
    old, middle, new = (make_item(source, published=ago(hours=n)) for n in (9, 5, 1))
    assert neighbours(reader, middle.pk) == (new.pk, old.pk)
    assert neighbours(reader, new.pk) == (None, middle.pk)


def test_neighbours_far_away_are_found_and_hidden_ones_are_left_out(reader: User) -> None:
    source, other = make_source("own", reader=reader), make_source("other")
    oldest, hidden, middle, unseen, newest = (
        make_item(feed, published=ago(days=days))
        for feed, days in ((source, 900), (source, 50), (source, 40), (other, 39), (source, 1))
    )
    set_state(reader, [hidden.pk], hidden=True)
    assert neighbours(reader, middle.pk) == (newest.pk, oldest.pk)
    assert neighbours(reader, oldest.pk) == (middle.pk, None)
    assert unseen.pk not in neighbours(reader, newest.pk)


def test_the_page_of_an_item_reads_all_of_it_by_one_query(reader: User) -> None:
    item = make_item(make_source(reader=reader))
    with CaptureQueriesContext(
        connection,
    ) as queries:
        shown = get_item(reader, item.pk)
        assert (shown.body.text, shown.source.title, shown.tellers) == (  # type: ignore[attr-defined]
            item.body.text,
            item.source.title,
            1,
        )
    assert len(queries) == 1
    with pytest.raises(Item.DoesNotExist):
        get_item(make_user("other"), item.pk)


def test_an_item_marked_unread_again_is_in_the_unread_river(reader: User) -> None:
    item = make_item(make_source(reader=reader), "Again")
    mark_all_read(reader, None, item.seq)
    assert titles(reader, Filters(unread=True)) == []
    set_state(reader, [item.pk], read=False)
    assert titles(reader, Filters(unread=True)) == ["Again"]


def test_the_saved_river_obeys_the_other_filters(reader: User) -> None:
    source = make_source(reader=reader)
    read = make_item(source, "Read", topics=["chips"])
    unread = make_item(source, "Unread", topics=["agents"], published=ago(hours=2))
    set_state(reader, [read.pk, unread.pk], saved=True)
    set_state(reader, [read.pk], read=True)
    assert titles(reader, Filters(saved=True)) == ["Read", "Unread"]
    assert titles(reader, Filters(saved=True, unread=True)) == ["Unread"]
    assert titles(reader, Filters(saved=True, topic="chips")) == ["Read"]
    assert titles(reader, Filters(topic="chip%")) == []


def test_each_item_carries_the_reader_s_own_title_of_its_source(reader: User) -> None:
    make_item(make_source("one", reader=reader))
    Subscription.objects.update(title="My outlet")
    (item,) = river(reader, Filters())
    assert item.source_title == "My outlet"  # type: ignore[attr-defined]


def test_the_unread_river_and_the_counts_agree(reader: User) -> None:
    chance = random.Random(3)
    sources = [make_source(f"s{number}", reader=reader) for number in range(3)]
    items = [
        make_item(chance.choice(sources), published=ago(days=chance.uniform(0, 45)))
        for _ in range(60)
    ]
    for values in ({"read": True}, {"read": False}, {"hidden": True}, {"saved": True}):
        set_state(reader, [item.pk for item in chance.sample(items, 12)], **values)
    mark_all_read(reader, [sources[0].pk], items[40].seq)
    shown = Counter(item.source_id for item in river(reader, Filters(unread=True), limit=200))
    assert unread_counts(reader) == shown
    assert all(not item.is_read for item in river(reader, Filters(unread=True)))  # type: ignore[attr-defined]


def test_taking_a_mark_back_costs_the_same_for_any_number_of_sources(reader: User) -> None:
    counts = []
    for number in (1, 12):
        for index in range(number):
            make_item(make_source(f"s{number}-{index}", reader=reader))
        undo = mark_all_read(reader, None, 10**9)
        with CaptureQueriesContext(connection) as queries:
            assert undo_mark(reader, undo.pk)
        counts.append(len(queries))
    assert counts[0] == counts[1]
    assert sum(unread_counts(reader).values()) == 13


def test_marking_all_read_takes_what_was_marked_unread_by_hand(reader: User) -> None:
    item = make_item(make_source("one", reader=reader))
    mark_all_read(reader, None, item.seq)
    set_state(reader, [item.pk], read=False)
    assert sum(unread_counts(reader).values()) == 1
    undo = mark_all_read(reader, None, item.seq)
    assert not unread_counts(reader)
    assert undo_mark(reader, undo.pk)
    assert sum(unread_counts(reader).values()) == 1


def test_sources_of_strangers_are_not_counted(reader: User) -> None:
    mine, public = make_source("mine", reader=reader), make_source("public", is_public=True)
    item = make_item(mine)
    make_story(item, make_item(public), make_item(make_source("foreign", reader=make_user("x"))))
    assert [one.tellers for one in river(reader, Filters())] == [2]
    assert get_item(reader, item.pk).tellers == 2


@pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")
@pytest.mark.django_db(transaction=True)
def test_two_pages_of_a_reader_may_mark_the_same_item_at_once() -> None:
    user = make_user("twice")
    item = make_item(make_source("of both", reader=user))
    problems: list[Exception] = []
    together = threading.Barrier(4)

    def mark(saved: bool | None) -> None:
        try:
            for _ in range(10):
                ItemState.objects.filter(user=user).delete()
                together.wait(30)
                set_state(user, [item.pk], read=True, saved=saved)
        except Exception as error:
            problems.append(error)
            together.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=mark, args=(saved,)) for saved in (None, True) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert problems == []
