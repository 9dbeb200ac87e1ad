"""What readers do with items: which rows a mark writes, and which it leaves alone."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from feeds.models import Item, ItemState, MarkUndo, Subscription
from feeds.reading.marks import mark_all_read, set_state, undo_mark
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db
LONG_AGO = datetime(2025, 1, 1, tzinfo=timezone.get_default_timezone())
UNTOUCHED = {
    "is_read": None,
    "is_saved": False,
    "is_hidden": False,
    "is_opened": False,
    "is_disliked": False,
}


@pytest.fixture
def item(reader: User) -> Item:
    return make_item(make_source(reader=reader))


def state(user: User, item: Item) -> dict[str, Any]:
    return ItemState.objects.values(*UNTOUCHED).get(user=user, item=item)


def version(user: User) -> int:
    return User.objects.values_list("version", flat=True).get(pk=user.pk)


def read_up_to(user: User) -> list[int]:
    own = Subscription.objects.filter(user=user).order_by("source")
    return list(own.values_list("read_up_to", flat=True))


@pytest.mark.parametrize("value", [True, False])
@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("read", ["is_read"]),
        ("saved", ["is_saved"]),
        ("hidden", ["is_hidden"]),
        ("opened", ["is_opened"]),
        ("less", ["is_disliked", "is_hidden"]),
    ],
)
def test_a_state_is_set_and_the_others_stay(
    reader: User, item: Item, name: str, columns: list[str], value: bool
) -> None:
    set_state(reader, [item.pk], **{name: value})
    assert state(reader, item) == UNTOUCHED | dict.fromkeys(columns, value)

    others = dict.fromkeys(UNTOUCHED, not value)
    ItemState.objects.update(**others)
    set_state(reader, [item.pk], **{name: value})
    assert state(reader, item) == others | dict.fromkeys(columns, value)


def test_less_like_this_decides_what_is_hidden(reader: User, item: Item) -> None:
    set_state(reader, [item.pk], hidden=False, less=True)

    assert state(reader, item)["is_hidden"]


def test_the_ids_that_were_set_come_sorted_and_once(reader: User) -> None:
    source = make_source(reader=reader)
    now = timezone.now()
    items = [make_item(source, published=now - timedelta(hours=n)) for n in range(20)]
    ids = sorted(item.pk for item in items)

    assert set_state(reader, [ids[2], *reversed(ids)], saved=True) == ids
    assert ItemState.objects.filter(is_saved=True).count() == 20


def test_no_state_at_all_writes_nothing(reader: User, item: Item) -> None:
    before = version(reader)

    assert set_state(reader, [item.pk]) == [item.pk]
    assert not ItemState.objects.exists()
    assert version(reader) == before


def test_a_change_drops_what_is_cached_for_the_reader(reader: User, item: Item) -> None:
    before = version(reader)

    set_state(reader, [item.pk + 1], read=True)  # nobody's
    assert version(reader) == before
    set_state(reader, [item.pk], read=True)
    assert version(reader) != before


@pytest.mark.parametrize(
    ("values", "is_told"),
    [
        ({"read": True}, False),
        ({"saved": False}, True),
        ({"read": True, "hidden": True}, True),
        ({"opened": True}, True),
        ({"less": True}, True),
        ({"saved": True, "counts_for_taste": False}, False),
    ],
)
def test_what_says_something_of_taste_is_dated(
    reader: User, item: Item, values: dict[str, bool], is_told: bool
) -> None:
    set_state(reader, [item.pk], **values)

    told_at = ItemState.objects.get().told_at
    assert (told_at is not None) is is_told
    assert told_at is None or timezone.now() - told_at < timedelta(minutes=1)


def test_a_state_that_was_there_is_dated_anew(reader: User, item: Item) -> None:
    set_state(reader, [item.pk], saved=True)
    ItemState.objects.update(changed_at=LONG_AGO, told_at=LONG_AGO)

    set_state(reader, [item.pk], read=True)
    after = ItemState.objects.get()
    assert (after.told_at, after.changed_at > LONG_AGO) == (LONG_AGO, True)
    set_state(reader, [item.pk], saved=True)
    told_at = ItemState.objects.get().told_at
    assert told_at is not None and told_at > LONG_AGO


def test_states_of_others_stay(reader: User, item: Item) -> None:
    other = make_user("other")
    Subscription.objects.create(user=other, source=item.source)
    set_state(other, [item.pk], saved=True)

    set_state(reader, [item.pk], saved=False, read=True)

    assert state(other, item) == UNTOUCHED | {"is_saved": True}


def test_ids_that_no_item_can_have_are_ignored(reader: User) -> None:
    source = make_source(reader=reader)
    first = make_item(source, id=0)
    last = make_item(source, id=(1 << 63) - 1)

    ids = [-1, 0, last.pk, 1 << 63, 1 << 70]
    assert set_state(reader, ids, read=True) == [first.pk, last.pk]


def test_only_what_the_reader_saved_stays_theirs_without_a_subscription(reader: User) -> None:
    source = make_source(reader=reader)
    saved, read, others = (make_item(source) for _ in range(3))
    other = make_user("other")
    Subscription.objects.create(user=other, source=source)
    set_state(reader, [saved.pk], saved=True)
    set_state(reader, [read.pk], read=True)
    set_state(other, [others.pk], saved=True)
    Subscription.objects.filter(user=reader).delete()

    assert set_state(reader, [read.pk, others.pk], hidden=True) == []
    assert set_state(reader, [saved.pk, read.pk, others.pk], hidden=True) == [saved.pk]


def test_a_state_is_set_for_all_items_or_for_none(
    reader: User, item: Item, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(User, "bump_cache_version", fails)

    with pytest.raises(OSError, match="broken"):
        set_state(reader, [item.pk], read=True)
    assert not ItemState.objects.exists()


def fails(user: User) -> None:
    raise OSError("broken")


def test_marking_all_moves_each_source_forward_only(reader: User) -> None:
    behind, level, ahead = (make_source(name, reader=reader) for name in "abc")
    items = [make_item(behind) for _ in range(5)]
    upto = items[2].seq
    for source, mark in [(behind, items[0].seq), (level, upto), (ahead, upto + 1)]:
        Subscription.objects.filter(source=source).update(read_up_to=mark)
    before = version(reader)

    undo = mark_all_read(reader, None, upto)

    assert read_up_to(reader) == [upto, upto, upto + 1]
    moved = Subscription.objects.get(source=behind).pk
    assert MarkUndo.objects.get(pk=undo.pk).marks == {str(moved): items[0].seq}
    assert undo.item_count == 2
    assert version(reader) != before


def test_marking_some_sources_leaves_others_and_other_readers(reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    other = make_user("other")
    Subscription.objects.create(user=other, source=one)
    items = [make_item(one), make_item(two)]
    for user in (reader, other):
        set_state(user, [item.pk for item in items], read=False)

    undo = mark_all_read(reader, [one.pk], items[1].seq)

    assert (read_up_to(reader), read_up_to(other)) == ([items[1].seq, 0], [0])
    assert undo.unread_items == [items[0].pk]
    assert [state(reader, item)["is_read"] for item in items] == [None, False]
    assert state(other, items[0])["is_read"] is False
    assert undo.item_count == 1


def test_marking_no_source_marks_nothing(reader: User, item: Item) -> None:
    undo = mark_all_read(reader, [], item.seq)

    assert read_up_to(reader) == [0]
    assert (undo.marks, undo.unread_items, undo.item_count) == ({}, [], 0)


def test_what_was_marked_by_hand_is_set_only_up_to_what_the_page_showed(reader: User) -> None:
    source = make_source(reader=reader)
    shown, read, since = (make_item(source) for _ in range(3))
    set_state(reader, [shown.pk, since.pk], read=False)
    set_state(reader, [read.pk], read=True)

    undo = mark_all_read(reader, None, read.seq)

    assert undo.unread_items == [shown.pk]
    assert [state(reader, item)["is_read"] for item in (shown, read, since)] == [None, True, False]


def test_nothing_is_marked_that_is_not_there_yet(reader: User) -> None:
    make_source(reader=reader)

    mark_all_read(reader, None, 10**9)
    assert read_up_to(reader) == [0]
    newest = make_item(Subscription.objects.get().source)
    mark_all_read(reader, None, 10**9)
    assert read_up_to(reader) == [newest.seq]


def test_a_mark_is_taken_back_as_it_was(reader: User) -> None:
    one, two = make_source("one", reader=reader), make_source("two", reader=reader)
    items = [make_item(one), make_item(two), make_item(two)]
    Subscription.objects.filter(source=two).update(read_up_to=items[1].seq)
    set_state(reader, [items[0].pk], read=True)
    set_state(reader, [items[1].pk], read=False)
    undo = mark_all_read(reader, None, items[2].seq)
    other = make_user("other")
    Subscription.objects.create(user=other, source=two)
    set_state(other, [items[1].pk], read=True)
    before = version(reader)

    assert undo_mark(reader, undo.pk) is True

    assert read_up_to(reader) == [0, items[1].seq]
    assert [state(reader, item)["is_read"] for item in items[:2]] == [True, False]
    assert state(other, items[1])["is_read"] is True
    assert version(reader) != before
    assert undo_mark(reader, undo.pk) is False


def test_to_take_one_mark_back_leaves_the_other_marks(reader: User, item: Item) -> None:
    first = mark_all_read(reader, None, item.seq)
    second = mark_all_read(reader, None, make_item(item.source).seq)

    assert undo_mark(reader, second.pk)

    assert list(MarkUndo.objects.values_list("pk", flat=True)) == [first.pk]


def test_marks_undone_in_any_order_leave_everything_unread(reader: User, item: Item) -> None:
    first = mark_all_read(reader, None, item.seq)
    second = mark_all_read(reader, None, make_item(item.source).seq)

    assert undo_mark(reader, first.pk)
    assert undo_mark(reader, second.pk)

    assert read_up_to(reader) == [0]


def test_a_mark_that_is_repeated_has_the_undo_of_the_first(reader: User, item: Item) -> None:
    first = mark_all_read(reader, None, item.seq)

    assert [mark_all_read(reader, scope, item.seq).pk for scope in (None, [item.source_id])] == [
        first.pk,
        first.pk,
    ]
    assert mark_all_read(reader, None, item.seq).item_count == 1
    assert undo_mark(reader, first.pk)
    assert read_up_to(reader) == [0]


def test_a_mark_of_an_item_that_was_unread_by_hand_is_repeated(reader: User, item: Item) -> None:
    mark_all_read(reader, None, item.seq)
    set_state(reader, [item.pk], read=False)
    second = mark_all_read(reader, None, item.seq)

    assert mark_all_read(reader, [item.source_id], item.seq).pk == second.pk
    assert mark_all_read(reader, [], item.seq).pk != second.pk


def test_what_is_not_repeated_has_an_undo_of_its_own(reader: User, item: Item) -> None:
    other = make_source("other", reader=reader)
    first = mark_all_read(reader, None, item.seq)

    elsewhere = mark_all_read(reader, [other.pk], item.seq)
    assert (elsewhere.pk != first.pk, elsewhere.item_count) == (True, 0)
    assert mark_all_read(reader, None, item.seq).pk == first.pk
    MarkUndo.objects.update(created_at=timezone.now() - timedelta(seconds=61))
    assert mark_all_read(reader, None, item.seq).pk not in (first.pk, elsewhere.pk)
    theirs = make_user("other")
    assert mark_all_read(theirs, None, item.seq).user == theirs


def test_a_mark_is_taken_back_by_its_reader_alone(reader: User, item: Item) -> None:
    other = make_user("other")
    theirs = Subscription.objects.create(user=other, source=item.source, read_up_to=item.seq)
    undo = mark_all_read(reader, None, item.seq)
    MarkUndo.objects.update(marks={**undo.marks, str(theirs.pk): 0})

    assert undo_mark(other, undo.pk) is False
    assert undo_mark(reader, undo.pk) is True
    assert (read_up_to(reader), read_up_to(other)) == ([0], [item.seq])


@pytest.mark.parametrize("act", [mark_all_read, undo_mark])
def test_a_mark_is_made_and_taken_back_whole(
    reader: User, item: Item, monkeypatch: pytest.MonkeyPatch, act: Any
) -> None:
    undo = mark_all_read(reader, None, item.seq)
    Subscription.objects.update(read_up_to=0 if act is mark_all_read else item.seq)
    before = (read_up_to(reader), MarkUndo.objects.count())
    monkeypatch.setattr(User, "bump_cache_version", fails)

    with pytest.raises(OSError, match="broken"):
        act(reader, *((None, item.seq) if act is mark_all_read else (undo.pk,)))

    assert (read_up_to(reader), MarkUndo.objects.count()) == before
