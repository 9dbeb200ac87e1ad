"""Changes of many sources lock them in one order, for as short as possible, on PostgreSQL."""

from collections.abc import Callable

import pytest
from django.db import OperationalError, connection, transaction

from feeds.models import FetchLog, Source
from tests.interleave import Interleaved
from tests.make import make_source

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer"),
]
UPDATE = 'UPDATE "feeds_source"'


def hold(source: Source) -> None:
    """Lock a source, and update it when the test allows it."""
    with transaction.atomic():
        Source.objects.filter(pk=source.pk).lock()
        Source.objects.filter(pk=source.pk).update(weight=3.0)


def test_a_locked_source_is_not_changed_by_others_but_gets_their_rows() -> None:
    source = make_source()
    with Interleaved(lambda: hold(source), UPDATE) as first:
        first.wait_until_stopped()
        with Interleaved(lambda: FetchLog.objects.create(source=source)) as log:
            assert log.result().pk
        with Interleaved(lambda: Source.objects.update(title="Other")) as second:
            second.wait_until_blocked()
            first.result()
            assert second.result() == 1


def lock() -> None:
    with transaction.atomic():
        Source.objects.order_by("-pk").lock()


def change() -> None:
    assert Source.objects.order_by("-pk").change(weight=2.0) == 2


@pytest.mark.parametrize("act", [lock, change])
def test_sources_are_locked_in_the_order_of_their_ids(act: Callable[[], None]) -> None:
    one, two = make_source("one"), make_source("two")
    Source.objects.filter(pk=one.pk).update(title="Its row stands behind the other's now")

    with Interleaved(lambda: hold(two), UPDATE) as first:
        first.wait_until_stopped()
        with Interleaved(act) as second:
            second.wait_until_blocked()
            with pytest.raises(OperationalError, match="lock"), transaction.atomic():
                Source.objects.select_for_update(nowait=True).get(pk=one.pk)
            first.result()
            second.result()
