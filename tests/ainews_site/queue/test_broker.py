"""The queue in the database hands each message to one process."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django_q.conf import Conf
from django_q.models import OrmQ

from ainews_site.infra import db_clock
from ainews_site.queue.config import FAST, SLOW
from ainews_site.queue.orm_broker import CANDIDATES, Database
from tests.interleave import Interleaved

pytestmark = pytest.mark.django_db(transaction=True)
ORM_UPDATE = 'UPDATE "django_q_ormq"'
on_postgres = pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer")


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Conf, "POLL", 0)
    monkeypatch.delenv("Q_CLUSTER_NAME", raising=False)


def take(name: str = FAST) -> list[str]:
    return [payload for _, payload in Database(list_key=name).dequeue() or []]


@on_postgres
def test_of_two_processes_that_see_a_message_one_claims_it() -> None:
    Database(list_key=FAST).enqueue("poll")

    with Interleaved(take, ORM_UPDATE) as first, Interleaved(take, ORM_UPDATE) as second:
        first.wait_until_stopped()
        second.wait_until_stopped()  # both have read the same message
        taken = [*first.result(), *second.result()]

    assert taken == ["poll"]


def test_a_message_that_another_process_claimed_is_skipped() -> None:
    Database(list_key=FAST).enqueue("poll")
    others: list[int] = []

    def take_it_first(execute: Any, sql: str, *rest: Any) -> Any:
        if sql.startswith(ORM_UPDATE) and not others:
            later = db_clock.now() + timedelta(minutes=1)
            others.append(1)
            assert OrmQ.objects.update(lock=later) == 1
        return execute(sql, *rest)

    with connection.execute_wrapper(take_it_first):
        assert take() == []
    assert others


@on_postgres
def test_after_a_lost_race_the_next_message_is_claimed_at_once() -> None:
    broker = Database(list_key=FAST)
    broker.enqueue("one")
    broker.enqueue("two")

    with Interleaved(take, ORM_UPDATE) as first, Interleaved(take, ORM_UPDATE) as second:
        first.wait_until_stopped()
        second.wait_until_stopped()
        taken = [first.result(), second.result()]

    assert taken == [["one"], ["two"]]


@on_postgres
def test_a_message_that_was_deleted_meanwhile_is_not_run() -> None:
    broker = Database(list_key=FAST)
    number = broker.enqueue("poll")

    with Interleaved(take, ORM_UPDATE) as worker:
        worker.wait_until_stopped()
        broker.acknowledge(str(number))

        assert worker.result() == []


def test_a_taken_message_is_hidden_until_its_task_can_have_ended() -> None:
    broker = Database(list_key=FAST)
    broker.enqueue("poll")
    assert take() == ["poll"]

    assert take() == []
    assert (broker.queue_size(), broker.lock_size()) == (0, 1)
    left = OrmQ.objects.get().lock - db_clock.now()
    assert timedelta(0) <= timedelta(seconds=Conf.RETRY) - left < timedelta(seconds=30)


def test_an_abandoned_message_is_delivered_again() -> None:
    broker = Database(list_key=FAST)
    broker.enqueue("poll")
    take()
    OrmQ.objects.update(lock=db_clock.now() - timedelta(seconds=1))

    assert (broker.queue_size(), broker.lock_size()) == (1, 0)
    assert take() == ["poll"]


def test_the_oldest_message_comes_first_and_the_fast_queue_before_the_slow() -> None:
    Database(list_key=SLOW).enqueue("digest")
    for name in ("one", "two"):
        Database(list_key=FAST).enqueue(name)

    assert [take() for _ in range(4)] == [["one"], ["two"], ["digest"], []]


def test_a_cluster_with_a_name_takes_its_own_queue_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    Database(list_key=FAST).enqueue("poll")
    Database(list_key=SLOW).enqueue("digest")

    assert take(SLOW) == ["digest"]
    assert take(SLOW) == []
    monkeypatch.setenv("Q_CLUSTER_NAME", FAST)
    Database(list_key=SLOW).enqueue("digest")
    assert [take(FAST), take(FAST)] == [["poll"], []]


def test_messages_locked_in_the_future_do_not_hide_those_behind_them() -> None:
    later = db_clock.now() + timedelta(hours=1)
    OrmQ.objects.bulk_create(
        OrmQ(key=FAST, payload="busy", lock=later) for _ in range(CANDIDATES + 1)
    )
    Database(list_key=FAST).enqueue("poll")

    assert take() == ["poll"]


def test_a_new_message_counts_as_waiting() -> None:
    broker = Database(list_key=FAST)
    before: datetime = db_clock.now()

    broker.enqueue("poll")

    assert before <= OrmQ.objects.get().lock <= db_clock.now()
    assert broker.queue_size() == 1
