"""Two concurrent workers on PostgreSQL: the order of the ledger, and claims of sources."""

from collections.abc import Iterable
from datetime import timedelta

import pytest
from django.db import connection, transaction

from feeds.core import partitions
from feeds.core.partitions import Span, make_partitions
from feeds.ingest import lease
from feeds.ingest.store import store_entries
from feeds.models import ItemKey, Source
from tests.feeds.ingest.server import reply, serve
from tests.feeds.ingest.test_poll import poll, rss, source_at
from tests.feeds.ingest.test_store import NOW, entry
from tests.interleave import Interleaved
from tests.make import make_source

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]


def last_number() -> int:
    """Return the greatest number that the sequence has assigned, committed or not."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sequence_last_value('feeds_itemkey_seq_seq'::regclass)")
        return int(cursor.fetchone()[0])


def store(source: Source, *numbers: int) -> list[int]:
    stored = store_entries(source.pk, [entry(number) for number in numbers], now=NOW)
    return sorted(ItemKey.objects.filter(item_id__in=stored.new_ids).values_list("seq", flat=True))


def test_ledger_numbers_become_visible_in_their_order() -> None:
    early, late = make_source("early"), make_source("late")
    known = store(late, 5)  # makes the partition, whose lock would hide that of the ledger
    seen: list[list[int]] = []

    def store_and_wait() -> list[int]:
        with transaction.atomic():
            numbers = store(early, 1, 2)
            Source.objects.filter(pk=early.pk).update(weight=2.0)  # the test stops it here
            return numbers

    with Interleaved(store_and_wait, 'UPDATE "feeds_source"') as first:
        first.wait_until_stopped()
        taken = last_number()
        with Interleaved(lambda: store(late, 3, 4)) as second:
            second.wait_until_blocked()
            seen.append(list(ItemKey.objects.values_list("seq", flat=True)))
            taken_meanwhile = last_number()
            before = first.result()
            after = second.result()

    # No number is visible while a smaller one may still be committed.
    assert seen == [known]
    # The waiting transaction has no numbers yet.
    assert taken_meanwhile == taken == before[-1]
    assert before[-1] < after[0]


def test_the_lock_on_the_ledger_ends_with_the_transaction() -> None:
    source = make_source()

    with Interleaved(lambda: store(source, 1)) as first:
        first.result()
        with Interleaved(lambda: store(source, 2)) as second:
            assert len(second.result()) == 1


def test_documents_without_new_entries_do_not_wait_for_the_lock() -> None:
    one, other = make_source("one"), make_source("other")
    store(other, 3)

    def store_and_wait() -> None:
        with transaction.atomic():
            store(one, 1)
            Source.objects.filter(pk=one.pk).update(weight=2.0)

    with Interleaved(store_and_wait, 'UPDATE "feeds_source"') as first:
        first.wait_until_stopped()
        with Interleaved(lambda: store(other, 3)) as second:
            assert second.result() == []


def test_two_workers_that_claim_at_once_get_different_sources() -> None:
    pks = [make_source("one").pk, make_source("two").pk]

    def claimed(wanted: list[int]) -> list[int]:
        return [source.pk for source in lease.claim(wanted, NOW)]

    with Interleaved(lambda: claimed(pks[:1]), 'UPDATE "feeds_source"') as first:
        first.wait_until_stopped()  # it has read that the source is free
        with Interleaved(lambda: claimed(pks)) as second:
            assert second.result() == pks[1:]
        assert first.result() == pks[:1]

    assert list(Source.objects.order_by("pk").values_list("lease_token", flat=True)) == [1, 1]


def test_of_two_workers_that_see_a_source_free_one_claims_it() -> None:
    source = make_source(lease_until=NOW - timedelta(seconds=1))

    with Interleaved(lambda: lease.claim([source.pk], NOW), "SELECT") as first:
        first.wait_until_stopped()
        with Interleaved(lambda: lease.claim([source.pk], NOW)) as second:
            assert len(second.result()) == 1
        assert first.result() == []


def test_a_partition_is_not_created_in_the_transaction_that_stores_sources(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It locks the table of sources. A reader who changes one meanwhile would be in a deadlock."""
    within: list[bool] = []

    def make(wanted: Iterable[Span]) -> None:
        within.append(connection.in_atomic_block)
        make_partitions(wanted)

    monkeypatch.setattr(partitions, "make_partitions", make)
    old = reply(200, rss("One").replace(b"Nov 2026", b"Nov 2001"), Content_Type="text/xml")
    with serve({"/1": old, "/2": old}) as server:
        outcomes = poll([source_at(server, path) for path in ("/1", "/2")]).outcomes

    assert [len(outcome.stored.new_ids) for outcome in outcomes] == [1, 1]
    assert within == [False]
