"""All machines use the clock of the database, and repair what a wrong clock has written."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ainews_site.infra import db_clock
from feeds.coordination.lease import lease
from feeds.ingest.lease import claim
from feeds.models import Lease, Source
from feeds.tasks import poll_due
from tests.make import make_source


@pytest.mark.django_db
def test_the_time_is_that_of_the_database() -> None:
    assert abs(db_clock.exact_now() - timezone.now()) < db_clock.TOLERATED
    assert abs(db_clock.now() - db_clock.exact_now()) < timedelta(seconds=5)
    assert db_clock.problem() == ""


@pytest.mark.django_db
@pytest.mark.skipif(connection.vendor == "sqlite", reason="one machine has one clock")
def test_the_time_advances_between_two_queries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db_clock, "_last_query", None)
    first = db_clock.now()
    monkeypatch.setattr(timezone, "now", lambda: first - timedelta(days=400))
    assert timedelta(0) <= db_clock.now() - first < timedelta(seconds=60)


@pytest.mark.django_db
def test_sources_that_a_wrong_clock_postponed_for_years_are_due() -> None:
    """Such a clock has lost its battery, or was set to another year."""
    later = timezone.now() + timedelta(days=700)
    source = make_source(next_poll_at=later, lease_until=later)
    Lease.objects.create(name="group", holder="another", until=later)
    poll_due()
    assert list(Source.objects.due()) == [source]
    assert claim([source.pk], db_clock.exact_now())
    with lease("group") as held:
        assert held is not None


@pytest.mark.django_db
def test_a_wait_that_a_source_requested_is_kept() -> None:
    source = make_source(next_poll_at=timezone.now() + timedelta(days=7))
    poll_due()
    assert not Source.objects.due().filter(pk=source.pk).exists()
