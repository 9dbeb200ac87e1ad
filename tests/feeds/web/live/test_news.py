"""What is new for a reader is counted within limits, whatever `seq` a client claims."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from feeds.coordination.revisions import latest_seq
from feeds.models import Item, ItemKey, Source
from feeds.reading.marks import mark_all_read
from feeds.reading.unread import unread_counts
from feeds.web.live import news
from feeds.web.live.news import MAX_COUNTED, news_since, reader_seq
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def fill(source: Source, count: int) -> None:
    """Items of one story, more than are counted."""
    first = make_item(source)
    make_story(first)
    keys = [ItemKey(source=source, key_hash=n, alt_hash=n) for n in range(10, 10 + count)]
    keys = ItemKey.objects.bulk_create(keys)
    Item.objects.bulk_create(
        Item(
            id=first.pk + n,
            seq=key.seq,
            source=source,
            story_id=first.pk,
            title="More",
            published_at=first.published_at,
            fetched_at=first.fetched_at,
        )
        for n, key in enumerate(keys, 1)
    )


def test_items_are_counted_up_to_a_limit() -> None:
    user = make_user()
    fill(make_source(reader=user), MAX_COUNTED)

    with CaptureQueriesContext(connection) as queries:
        counted = news_since(user.pk, 0)
    assert (counted.items, counted.stories, counted.has_more) == (MAX_COUNTED, 1, True)
    assert counted.as_event()["more"] is True
    assert len(queries) == 2 and f"LIMIT {MAX_COUNTED + 1}" in queries[-1]["sql"]

    counted = news_since(user.pk, counted.seq - MAX_COUNTED)
    assert (counted.items, counted.has_more) == (MAX_COUNTED, False)
    assert "more" not in counted.as_event()


def test_only_the_last_arrivals_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "WINDOW", 3)
    monkeypatch.setattr(news, "STEP", 1)
    user, other = make_user(), make_source("other")
    mine = make_source("mine", reader=user)
    make_item(mine)
    for _ in range(3):
        make_item(other)

    counted = news_since(user.pk, 0)
    assert (counted.items, counted.has_more) == (0, True)

    counted = news_since(user.pk, latest_seq() - 3)
    assert (counted.items, counted.has_more) == (0, False)


def test_the_ledger_s_number_does_not_tell_when_others_have_news() -> None:
    user, other = make_user(), make_user("other")
    mine, private = make_source("mine", reader=user), make_source("private", reader=other)
    first = make_item(mine)
    before = reader_seq(user.pk)

    make_item(private)

    assert reader_seq(user.pk) == before == first.seq
    assert news_since(user.pk, 0).seq == before
    assert reader_seq(other.pk) > before


def test_a_reader_without_recent_news_learns_of_arrivals_to_the_thousand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(news, "RECENT", 2)
    monkeypatch.setattr(news, "STEP", 4)
    user, other = make_user(), make_source("other")
    oldest = make_item(make_source("mine", reader=user))

    seen = []
    for _ in range(9):
        make_item(other)
        seen.append(reader_seq(user.pk))

    assert all(number == oldest.seq or number % 4 == 0 for number in seen)
    assert seen == sorted(seen)
    newest = make_item(Source.objects.get(title="Mine"))
    assert reader_seq(user.pk) == newest.seq


def test_marking_all_read_by_the_page_s_number_leaves_nothing_of_it_unread() -> None:
    user, other = make_user(), make_source("other")
    mine = make_source("mine", reader=user)
    for source in (mine, other, mine, other, other):
        make_item(source)
    assert unread_counts(user) == {mine.pk: 2}

    mark_all_read(user, None, reader_seq(user.pk))

    assert unread_counts(user) == {}
    make_item(mine)
    assert unread_counts(user) == {mine.pk: 1}
