"""Leases of sources, so that one worker at a time polls each."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from feeds.ingest.lease import claim, is_held, lease, release, renew
from feeds.models import Source
from tests.make import make_source

pytestmark = pytest.mark.django_db
NOW = datetime(2026, 3, 1, 12, tzinfo=timezone.get_default_timezone())


@pytest.fixture(autouse=True)
def lasting(settings: Any) -> timedelta:
    settings.LEASE_SECONDS = 90
    return timedelta(seconds=90)


def state(source: Source) -> tuple[datetime | None, int]:
    return Source.objects.values_list("lease_until", "lease_token").get(pk=source.pk)


def test_a_claim_takes_the_free_ones_of_the_requested_sources(lasting: timedelta) -> None:
    last, held, first, other = (make_source(name) for name in "abcd")
    # Claimed by another worker, with the same token as the free ones.
    Source.objects.filter(pk=held.pk).update(lease_until=NOW + timedelta(seconds=1))

    claimed = claim(iter([first.pk, held.pk, last.pk]), NOW)

    assert [source.pk for source in claimed] == sorted([last.pk, first.pk])
    for source in claimed:
        assert state(source) == (NOW + lasting, 1)
        assert (source.lease_until, source.lease_token) == (NOW + lasting, 1)
    assert state(held) == (NOW + timedelta(seconds=1), 0)
    assert state(other) == (None, 0)
    assert lease() == lasting


def test_claimed_sources_are_ordered_by_id() -> None:
    sources = [make_source(name, title=title) for name, title in zip("abc", "ZYX", strict=True)]

    claimed = claim([source.pk for source in reversed(sources)], NOW)

    assert [source.pk for source in claimed] == [source.pk for source in sources]


def test_a_claimed_source_cannot_be_claimed_until_its_lease_expires(lasting: timedelta) -> None:
    source = make_source()
    [first] = claim([source.pk], NOW)

    assert claim([source.pk], NOW + lasting) == []
    [second] = claim([source.pk], NOW + lasting + timedelta(seconds=1))
    assert (first.lease_token, second.lease_token) == (1, 2)


def test_only_the_last_claim_is_held() -> None:
    source, other = make_source("a"), make_source("b")
    [first] = claim([source.pk], NOW)
    assert is_held(first)
    claim([other.pk], NOW)

    [second] = claim([source.pk], NOW + timedelta(hours=1))

    assert not is_held(first)
    assert is_held(second)


def test_renewing_extends_the_leases_that_are_still_held(lasting: timedelta) -> None:
    lost, kept, other = (make_source(name) for name in "abc")
    claimed = claim([lost.pk, kept.pk], NOW)
    claim([other.pk], NOW)  # the same token, of another worker
    Source.objects.filter(pk=lost.pk).update(lease_token=7)

    renew(claimed, NOW + timedelta(seconds=60))

    assert state(kept) == (NOW + timedelta(seconds=60) + lasting, 1)
    assert state(lost) == (NOW + lasting, 7)
    assert state(other) == (NOW + lasting, 1)


def test_a_released_source_is_free_unless_another_worker_claimed_it(lasting: timedelta) -> None:
    lost, kept, other = (make_source(name) for name in "abc")
    claimed = claim([lost.pk, kept.pk], NOW)
    claim([other.pk], NOW)
    Source.objects.filter(pk=lost.pk).update(lease_token=7)

    release(iter(claimed))

    assert state(kept) == (None, 1)
    assert state(lost) == (NOW + lasting, 7)
    assert state(other) == (NOW + lasting, 1)
