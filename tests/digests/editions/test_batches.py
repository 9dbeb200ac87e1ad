"""Editions that are written together are what each would be alone, and cost few queries."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any
from weakref import WeakSet

import pytest
from django.conf import settings
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from digests.editions import window_items, writing
from digests.editions.plan import Request
from digests.editions.write import write_digest, write_digests
from digests.editions.writing import process_writings, request_writing, today_of, waiting_writings
from digests.models import Delivery, Digest, Writing
from digests.tasks import write_waiting
from feeds.core.ids import lowest_id
from feeds.core.partitions import ensure_partitions
from feeds.models import Impression, Item
from feeds.models.narrow import fetch_by_id
from feeds.reading.marks import set_state
from feeds.trends import board
from feeds.trends.types import CLIMBING, SPARKLINE, Trend
from tests.digests.make import TEXT, make_channel, make_reader
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db
postgres_only = pytest.mark.skipif(
    settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"), reason="SQLite has plain tables"
)


def readers_with_news(count: int) -> list[User]:
    """Readers of a public source, each with a private one, who differ in all that editions use."""
    shared = make_source("shared", is_public=True)
    now = timezone.now()
    readers = [make_reader(f"reader{n}") for n in range(count)]
    items = [
        make_item(
            shared, f"Shared news {n}", text=f"{TEXT} {n}", published=now - timedelta(hours=n)
        )
        for n in range(4)
    ]
    for number, reader in enumerate(readers):
        shared.subscriptions.create(user=reader, level="more" if number % 2 else "normal")
        wire = make_source(f"wire{number}", reader=reader)
        own = make_item(wire, f"Secret of {number}", text=TEXT)
        copy = make_item(shared, f"Secret of {number}", text=TEXT, copy_of=own.pk)
        make_story(own, copy)
        set_state(reader, [items[number % 4].pk], hidden=True)
        set_state(reader, [items[(number + 1) % 4].pk], saved=True)
        Impression.objects.create(
            user=reader, at=now, stories=[], leads=[item.pk for item in items]
        )
        board.write(reader.pk, [trend_of(f"own {number}", own)], now)
    for item in items:
        make_story(item)
    return readers


def trend_of(label: str, item: Item) -> Trend:
    return Trend(
        *(label, label, (), 3, 1, 2, CLIMBING, (0,) * SPARKLINE, item.story_id or 0, item.title),
        score=1.0,
        expected=1.0,
        is_burst=False,
        began=item.published_at.date(),
    )


def test_editions_written_together_are_what_each_is_alone() -> None:
    users: list[User | None] = [None, *readers_with_news(4)]
    now = timezone.now()
    day = today_of(None)
    for user in users[:3]:
        write_digest(user, day - timedelta(days=1), now=now - timedelta(hours=2))
    for user in users:
        write_digest(user, day, now=now)
    alone = [written_on(user, day) for user in users]
    Digest.objects.filter(date=day).delete()

    digests = write_digests([Request(user, day) for user in users], now)

    assert [digest.content for digest in digests] == alone
    assert [written_on(user, day) for user in users] == alone
    rows = [Digest.objects.get(user=user, date=day) for user in users]
    assert [(digest.pk, digest.created_at) for digest in digests] == [
        (row.pk, row.created_at) for row in rows
    ]
    for number, user in enumerate(users[1:]):
        assert f"Secret of {number}" in str(written_on(user, day))
        assert f"own {number}" in str(written_on(user, day)["trends"])
    assert len({str(content) for content in alone}) == len(users)


def test_a_batch_with_too_many_items_is_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The items of a part are freed before those of the next are read."""
    users: list[User | None] = [None, *readers_with_news(7)]
    # The newest item must not have the same second as the end of the windows.
    now, day = timezone.now() + timedelta(seconds=2), today_of(None)
    requests = [Request(user, day) for user in users]
    together = [digest.content for digest in write_digests(requests, now)]
    Digest.objects.all().delete()
    read = window_items._read
    alive: WeakSet[Item] = WeakSet()
    held: list[int] = []

    def count(ids: Iterable[int]) -> dict[int, Item]:
        items = read(ids)
        alive.update(items.values())
        held.append(len(alive))
        return items

    most = Item.objects.count() - 3
    monkeypatch.setattr(window_items, "_read", count)
    monkeypatch.setattr(window_items, "MAX_SHARED", most)

    assert [digest.content for digest in write_digests(requests, now)] == together
    assert len(held) == 2
    assert max(held) <= most
    assert not alive


def test_a_long_window_makes_no_others_read_as_far_back(monkeypatch: pytest.MonkeyPatch) -> None:
    readers = readers_with_news(4)
    now, day = timezone.now(), today_of(readers[0])
    weekly = readers[0]
    weekly.digest_days = str(day.weekday())
    weekly.save()
    shared = readers[1].subscriptions.get(source__is_public=True).source
    for n in range(60):
        make_story(make_item(shared, f"Older {n}", published=now - timedelta(days=3, minutes=n)))
    requests = [Request(reader, day, is_due=True) for reader in readers]
    together = [digest.content for digest in write_digests(requests, now)]
    Digest.objects.all().delete()
    arrivals = window_items._arrivals
    counts: dict[int, int] = {}

    def count(plans: Any) -> Any:
        rows = list(arrivals(plans))
        for plan in plans:  # the last reading is that from which the edition is written
            counts[plan.user.pk] = len(rows)
        return rows

    monkeypatch.setattr(window_items, "_arrivals", count)
    monkeypatch.setattr(window_items, "MAX_ARRIVALS", 40, raising=False)

    assert [digest.content for digest in write_digests(requests, now)] == together
    assert counts[weekly.pk] > 60
    assert all(counts[reader.pk] <= 40 for reader in readers[1:])


def written_on(user: User | None, day: Any) -> Any:
    return Digest.objects.get(user=user, date=day).content


def queries_of_a_run(readers: list[User]) -> int:
    for reader in readers:
        request_writing(reader, today_of(reader), is_due=True)
    with CaptureQueriesContext(connection) as captured:
        assert write_waiting() == len(readers)
    return len(captured)


def test_the_queries_of_a_run_do_not_grow_with_the_readers() -> None:
    readers = readers_with_news(9)
    queries_of_a_run(readers[:2])
    few = queries_of_a_run(readers[:2])
    Digest.objects.all().delete()

    assert queries_of_a_run(readers[:9]) <= few + 1 < 40


def test_a_reader_s_two_days_are_not_written_together() -> None:
    one, other = readers_with_news(2)
    today = today_of(one)
    for user, day in ((one, today), (one, today - timedelta(days=1)), (other, today)):
        request_writing(user, day)

    batches = waiting_writings()

    days = {pk: (w.user, w.date) for pk, w in Writing.objects.in_bulk().items()}
    assert [[days[pk] for pk in pks] for pks in batches] == [
        [(one, today - timedelta(days=1))],
        [(one, today), (other, today)],
    ]


def test_a_request_that_failed_before_delays_no_other() -> None:
    """It may end the worker, with all that it writes together."""
    readers = readers_with_news(3)
    for reader in readers:
        request_writing(reader, today_of(reader))
    failed = Writing.objects.get(user=readers[1])
    Writing.objects.filter(pk=failed.pk).update(attempts=1)

    assert [len(pks) for pks in waiting_writings()] == [1, 1, 1]
    assert [failed.pk] in waiting_writings()


def test_an_edition_that_fails_leaves_the_others_of_its_batch_written(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readers = readers_with_news(3)
    for reader in readers:
        request_writing(reader, today_of(reader))
    write = writing.write_digests

    def fail(requests: Any, *args: Any, **options: Any) -> Any:
        if any(request.user == readers[1] for request in requests):
            raise ValueError("damaged")
        return write(requests, *args, **options)

    monkeypatch.setattr(writing, "write_digests", fail)

    assert write_waiting() == 2
    assert set(Digest.objects.values_list("user", flat=True)) == {readers[0].pk, readers[2].pk}
    assert Writing.objects.get().user == readers[1] and Writing.objects.get().error


def test_a_batch_is_delivered_and_those_who_asked_by_hand_are_not() -> None:
    readers = readers_with_news(3)
    for number, reader in enumerate(readers):
        make_channel(reader, "slack", f"https://hooks.example/{number}")
        reader.digest_hour, reader.digest_days = 0, "" if number == 2 else "0123456"
        reader.save()
        request_writing(reader, today_of(reader), is_due=number < 2)

    process_writings(waiting_writings()[0])

    assert Digest.objects.count() == 3
    assert set(Delivery.objects.values_list("digest__user", flat=True)) == {
        readers[0].pk,
        readers[1].pk,
    }
    assert all(d.channel.user == d.digest.user for d in Delivery.objects.all())


def test_an_edition_that_says_the_same_again_stays_as_it_is() -> None:
    readers = readers_with_news(3)
    now, day = timezone.now(), today_of(readers[0])
    requests = [Request(reader, day) for reader in readers]
    first = write_digests(requests, now)
    versions = dict(User.objects.values_list("pk", "version"))
    hidden = Item.objects.get(title="Shared news 3")
    set_state(readers[0], [hidden.pk], hidden=True)
    changed = User.objects.get(pk=readers[0].pk).version

    again = write_digests(requests, now)

    assert [digest.pk for digest in again] == [digest.pk for digest in first]
    assert again[1].created_at < again[0].created_at
    after = dict(User.objects.values_list("pk", "version"))
    assert after[readers[0].pk] not in (changed, versions[readers[0].pk])
    assert all(after[reader.pk] == versions[reader.pk] for reader in readers[1:])


@postgres_only
def test_items_are_sought_in_the_partitions_of_their_own_months() -> None:
    now = timezone.now()
    source = make_source()
    moments = [now - timedelta(days=70 * n) for n in range(4)]
    ensure_partitions(map(lowest_id, moments))
    items = [make_item(source, f"Old {n}", published=at) for n, at in enumerate(moments)]
    query = "SELECT id FROM feeds_item WHERE {}"
    with CaptureQueriesContext(connection) as captured:
        rows = fetch_by_id(query, "id", [item.pk for item in items])
    assert sorted(rows) == sorted((item.pk,) for item in items)
    (sql,) = (query["sql"] for query in captured)

    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}")
        scans = [row[0] for row in cursor.fetchall() if "feeds_item_" in row[0] and "on" in row[0]]

    assert len(scans) == len(items)
