"""A story as one reader sees it: what is a copy, what is unread, which item leads."""

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from feeds.models import Item, Story
from feeds.stories.coverage import (
    headline_for,
    is_unread,
    lead_first,
    settle_copies,
)
from tests.make import make_item, make_source

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def copies(*pairs: tuple[int, int | None]) -> list[Item]:
    return [Item(pk=pk, copy_of=original) for pk, original in pairs]


def settled(items: list[Item], visible: Any = None) -> dict[int, int | None]:
    settle_copies(iter(items), Item.objects.none() if visible is None else visible)
    return {item.pk: item.copy_of for item in items}


def test_copies_of_what_is_among_the_items_stay_without_a_query(
    django_assert_num_queries: Any, db: None
) -> None:
    with django_assert_num_queries(0):
        assert settled(copies((2, 1), (1, None), (3, 1))) == {1: None, 2: 1, 3: 1}
        assert settled(copies((1, None), (2, None))) == {1: None, 2: None}


def test_the_first_copy_of_what_is_unseen_takes_its_place(db: None) -> None:
    items = copies((9, 1), (7, 1), (8, 1), (5, 2), (6, None))

    assert settled(items) == {5: None, 6: None, 7: None, 8: 7, 9: 7}


@pytest.mark.django_db
def test_an_original_that_the_reader_may_see_stays_one_wherever_it_is() -> None:
    original = make_item(make_source())
    items = copies((original.pk + 1, original.pk), (original.pk + 2, 1))

    assert settled(items, Item.objects.order_by("title")) == {
        original.pk + 1: original.pk,
        original.pk + 2: None,
    }


def seen(hours: float, *, read_after: float | None = None, **fields: Any) -> SimpleNamespace:
    """An item fetched `hours` after noon and read `read_after` noon, if at all."""
    read_at = None if read_after is None else NOW + timedelta(hours=read_after)
    values = {"is_read": read_at is not None, "read_at": read_at, "copy_of": None}
    return SimpleNamespace(fetched_at=NOW + timedelta(hours=hours), **values | fields)


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([seen(0)], True),
        ([seen(0, read_after=1)], False),
        # Who read one item knows what was there by then, and not what came later.
        ([seen(0, read_after=2), seen(1)], False),
        ([seen(0, read_after=2), seen(2)], False),
        ([seen(0, read_after=2), seen(3)], True),
        ([seen(0, read_after=2), seen(3), seen(4, read_after=5)], False),
        ([seen(0, read_after=9), seen(3), seen(4, read_after=1)], False),
        # What was marked as read with all else was known when it came.
        ([seen(2, is_read=True), seen(1)], False),
        ([seen(2, is_read=True), seen(3)], True),
        # A copy says nothing new, unless there is nothing else.
        ([seen(0, read_after=1), seen(5, copy_of=1)], False),
        ([seen(5, copy_of=1)], True),
        ([seen(0, read_after=1, copy_of=1), seen(5, copy_of=1)], True),
        ([seen(5, copy_of=1, read_after=6), seen(5.5)], False),
        # What the reader read is not unread, whatever the clocks of the two moments say.
        ([seen(4, read_after=1)], False),
        ([], False),
    ],
)
def test_a_story_is_unread_while_it_has_news_for_the_reader(
    items: list[SimpleNamespace], expected: bool
) -> None:
    assert is_unread(iter(items)) is expected


def test_what_was_read_of_the_rest_of_a_story_covers_what_had_arrived_by_then() -> None:
    assert not is_unread([seen(1)], NOW + timedelta(hours=1))
    assert is_unread([seen(1)], NOW)
    assert not is_unread([seen(1), seen(0, read_after=2)], NOW)


@pytest.mark.django_db
def test_what_else_the_reader_sees_is_no_missing_original(django_assert_num_queries: Any) -> None:
    items = copies((3, 1), (4, 2))
    with django_assert_num_queries(0):
        settle_copies(items, Item.objects.none(), seen={1, 2})
    assert [item.copy_of for item in items] == [1, 2]


def test_the_lead_comes_first_and_copies_last() -> None:
    first, copy, lead, last = copies((1, None), (2, 1), (3, None), (4, None))

    assert lead_first(Story(lead_id=3), [first, copy, lead, last]) == [lead, first, last, copy]
    assert lead_first(Story(lead_id=9), [copy, first, last]) == [first, last, copy]
    assert lead_first(Story(lead_id=2), [first, copy]) == [first, copy]


def test_a_headline_comes_from_what_the_reader_sees() -> None:
    lead, other = Item(pk=1, title="The lead's"), Item(pk=2, title="Another's")
    story = Story(lead_id=1, title="The story's")

    assert headline_for(story, lead) == "The story's"
    assert headline_for(story, other) == "Another's"
    assert headline_for(Story(lead_id=1, title="By hand", title_pinned=True), other) == "By hand"
