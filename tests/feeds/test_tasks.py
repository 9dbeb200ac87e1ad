"""What the queue runs for feeds, on the real broker's table."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone
from django_q.models import OrmQ, Schedule

from feeds.models import FetchLog, MarkUndo, Source
from feeds.schedules import ensure_schedules
from feeds.tasks import drop_old_rows, make_batches, poll_due
from tests.make import make_item, make_source, make_user

pytestmark = pytest.mark.django_db


def test_the_schedules_are_made_once_and_left_to_the_admin() -> None:
    ensure_schedules()
    Schedule.objects.filter(name="poll_due").update(minutes=5)
    ensure_schedules()
    assert Schedule.objects.get(name="poll_due").minutes == 5
    assert Schedule.objects.count() == 6


def test_sources_of_one_host_stay_in_one_batch() -> None:
    sources = [(n, f"https://big.example/{n}") for n in range(30)]
    sources += [(100 + n, f"https://s{n}.example/") for n in range(30)]
    batches = make_batches(sources, 20)
    # A slow host must not hold a worker for ever: the other ten wait for the next minute.
    assert {pk for batch in batches for pk in batch} == {*range(20), *range(100, 130)}
    assert sum(bool(set(range(30)) & set(batch)) for batch in batches) == 1
    assert all(len(batch) <= 20 for batch in batches)


def test_what_is_due_is_queued_and_the_queue_does_not_overflow() -> None:
    make_source("due")
    make_source("later", next_poll_at=timezone.now() + timedelta(hours=1))
    make_source("paused", status=Source.Status.PAUSED)
    assert poll_due() == 1
    assert OrmQ.objects.count() == 1
    for _ in range(2 * settings.POLL_WAITING):
        poll_due()
    assert OrmQ.objects.count() <= settings.POLL_WAITING


def test_what_a_killed_worker_held_does_not_stop_the_others() -> None:
    make_source("due")
    locked = timezone.now() + timedelta(hours=1)
    OrmQ.objects.bulk_create(
        OrmQ(key="ainews", payload="x", lock=locked) for _ in range(settings.POLL_WAITING)
    )
    assert poll_due() == 1


def test_old_rows_are_dropped() -> None:
    source = make_source()
    old = timezone.now() - timedelta(days=40)
    FetchLog.objects.create(source=source, at=old)
    FetchLog.objects.create(source=source)
    MarkUndo.objects.create(user=make_user(), marks={})
    MarkUndo.objects.update(created_at=old)
    drop_old_rows()
    assert FetchLog.objects.count() == 1
    assert not MarkUndo.objects.exists()


def test_items_that_nobody_grouped_are_grouped_with_the_next_minute() -> None:
    item = make_item(make_source(next_poll_at=timezone.now() + timedelta(hours=1)))
    poll_due()
    item.refresh_from_db()
    assert item.story is not None
