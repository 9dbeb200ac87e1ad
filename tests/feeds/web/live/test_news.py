"""What is new for a reader is counted within limits, whatever `seq` a client claims."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import db_clock
from feeds.coordination.revisions import latest_seq
from feeds.models import Item, ItemKey, Source, Subscription, TrendAlert
from feeds.reading.feedback import weigh_topic
from feeds.reading.marks import mark_all_read, set_state
from feeds.reading.unread import unread_counts
from feeds.sources.subscriptions import unsubscribe
from feeds.web.live import arrivals, news
from feeds.web.live.arrivals import MAX_COUNTED
from feeds.web.live.news import News, NewsDesk, reader_seq
from tests.make import make_item, make_source, make_story, make_user

pytestmark = pytest.mark.django_db


def news_since(user_id: int, seq: int, desk: NewsDesk | None = None) -> News:
    return (desk or NewsDesk()).news_of({user_id: {seq}})[user_id].since[seq]


QUERIES = 6
"""The ledger, items, cache versions, sources, hidden items and alerts."""


@pytest.fixture(autouse=True)
def clock() -> None:
    """Query the clock of the database, whose time is extrapolated from then on."""
    db_clock.now()


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
    assert len(queries) == QUERIES

    counted = news_since(user.pk, counted.seq - MAX_COUNTED)
    assert (counted.items, counted.has_more) == (MAX_COUNTED, False)
    assert "more" not in counted.as_event()


def test_only_the_last_arrivals_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "WINDOW", 3)
    monkeypatch.setattr(arrivals, "STEP", 1)
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
    for module in (news, arrivals):
        monkeypatch.setattr(module, "RECENT", 2)
        monkeypatch.setattr(module, "STEP", 4)
    user, other = make_user(), make_source("other")
    oldest = make_item(make_source("mine", reader=user))

    seen, desk = [], NewsDesk()
    for _ in range(9):
        make_item(other)
        seen.append(reader_seq(user.pk))
        assert desk.news_of({user.pk: ()})[user.pk].seq == seen[-1]

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


def readers_of_one_source(count: int) -> tuple[Source, dict[int, set[int]]]:
    source = make_source("shared")
    users = [make_user(f"reader{number}") for number in range(count)]
    Subscription.objects.bulk_create(Subscription(user=user, source=source) for user in users)
    return source, {user.pk: {0} for user in users}


@pytest.mark.parametrize("count", [1, 40])
def test_the_number_of_queries_does_not_grow_with_the_readers(count: int) -> None:
    source, seqs = readers_of_one_source(count)
    make_item(source)
    desk = NewsDesk()

    with CaptureQueriesContext(connection) as first:
        by_reader = desk.news_of(seqs)
    make_item(source)
    with CaptureQueriesContext(connection) as second:
        again = desk.news_of(seqs)

    assert len(first) == QUERIES
    assert len(second) == QUERIES - 2, "what readers follow is cached"
    assert {n.since[0].items for n in by_reader.values()} == {1}
    assert {n.since[0].items for n in again.values()} == {2}


def test_each_reader_is_counted_from_each_of_their_pages() -> None:
    source, seqs = readers_of_one_source(2)
    first, second = make_item(source), make_item(source)
    mine, other = seqs

    by_reader = NewsDesk().news_of({mine: {0, first.seq}, other: {second.seq}})

    assert {seq: n.items for seq, n in by_reader[mine].since.items()} == {0: 2, first.seq: 1}
    assert {seq: n.items for seq, n in by_reader[other].since.items()} == {second.seq: 0}


def test_nobody_learns_of_a_private_source_of_others() -> None:
    user, other, desk = make_user(), make_user("other"), NewsDesk()
    seqs = {user.pk: {0}, other.pk: {0}}
    make_item(make_source("mine", reader=user, is_public=False))
    theirs = make_source("theirs", reader=other, is_public=False)
    before = desk.news_of(seqs)

    make_item(theirs)
    after = desk.news_of(seqs)

    assert after[user.pk] == before[user.pk]
    assert after[other.pk].since[0].items == 1


def test_a_source_counts_as_long_as_it_is_followed() -> None:
    user, desk = make_user(), NewsDesk()
    source = make_source(reader=user, is_public=False)
    make_item(source)
    assert news_since(user.pk, 0, desk).items == 1

    unsubscribe(user, source)

    assert news_since(user.pk, 0, desk).items == 0


def test_what_the_reader_hid_on_another_page_is_not_new() -> None:
    user, desk = make_user(), NewsDesk()
    source = make_source(reader=user)
    hidden, _ = make_item(source), make_item(source)
    assert news_since(user.pk, 0, desk).items == 2

    set_state(user, [hidden.pk], hidden=True)

    assert news_since(user.pk, 0, desk).items == 1


def test_stories_are_counted_as_they_are_now() -> None:
    user, desk = make_user(), NewsDesk()
    source = make_source(reader=user)
    items = [make_item(source) for _ in range(3)]
    assert (news_since(user.pk, 0, desk).stories) == 3

    make_story(*items[:2])
    make_story(items[2])

    assert (news_since(user.pk, 0, desk).stories) == 2


def test_an_older_ledger_of_a_restored_backup_is_read_again() -> None:
    user, desk = make_user(), NewsDesk()
    source = make_source(reader=user)
    for _ in range(3):
        newest = make_item(source)
    assert news_since(user.pk, 0, desk).items == 3

    Item.objects.filter(pk=newest.pk).delete()
    ItemKey.objects.filter(seq=newest.seq).delete()

    assert news_since(user.pk, 0, desk).items == 2


def test_only_a_window_of_arrivals_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrivals, "WINDOW", 4)
    monkeypatch.setattr(arrivals, "RECENT", 2)
    monkeypatch.setattr(arrivals, "STEP", 1)
    user, desk = make_user(), NewsDesk()
    source = make_source(reader=user)
    for number in range(1, 12):
        newest = make_item(source).seq
        counted = news_since(user.pk, newest - min(number, 4), desk)
        assert (counted.items, counted.has_more) == (min(number, 4), False)
        assert len(desk._arrivals._rows) <= 4


def test_alerts_go_to_their_reader_alone() -> None:
    user, other, now = make_user(), make_user("other"), timezone.now()
    times = {"began": now, "until": now, "made_at": now, "due_at": now}
    alert = TrendAlert.objects.create(user=user, term="chips", label="Chips", story_id=1, **times)

    by_reader = NewsDesk().news_of({user.pk: {0}, other.pk: {0}})

    assert [found.alerts for found in by_reader.values()] == [[alert], []]


def test_a_deleted_reader_has_no_news() -> None:
    user = make_user()
    User.objects.all().delete()

    assert NewsDesk().news_of({user.pk: {0}}) == {}


@pytest.mark.parametrize("is_grouped", [True, False])
def test_a_muted_topic_counts_for_the_river_alone(is_grouped: bool) -> None:
    user = make_user(interests={"openai": "mute", "safety": "less"})
    mine = make_source("mine", reader=user)
    muted = make_item(mine, topics=["openai", "llm"])
    less = make_item(mine, topics=["safety"])
    if is_grouped:
        make_story(muted)
        make_story(less)

    counted = news_since(user.pk, 0)

    assert (counted.items, counted.stories) == (2, 1)


def test_a_story_of_which_half_is_muted_does_not_count() -> None:
    user = make_user(interests={"openai": "mute"})
    mine = make_source("mine", reader=user)
    muted = make_item(mine, topics=["openai"])
    make_story(muted, new := make_item(mine))

    assert news_since(user.pk, new.seq - 1).stories == 0


def test_a_story_of_which_less_is_muted_counts_for_its_other_articles() -> None:
    user = make_user(interests={"openai": "mute"})
    mine = make_source("mine", reader=user)
    items = [make_item(mine), make_item(mine, topics=["openai"]), make_item(mine)]
    make_story(*items)

    assert news_since(user.pk, items[1].seq).stories == 1
    assert news_since(user.pk, items[0].seq).stories == 1


def test_muting_a_topic_changes_the_count_at_once() -> None:
    user = make_user()
    item = make_item(make_source("mine", reader=user), topics=["openai"])
    make_story(item)
    desk = NewsDesk()
    assert news_since(user.pk, 0, desk).stories == 1

    weigh_topic(user, "openai", "mute")
    assert news_since(user.pk, 0, desk).stories == 0

    weigh_topic(user, "openai", "normal")
    assert news_since(user.pk, 0, desk).stories == 1
