"""Items per day of many sources."""

from datetime import timedelta

import pytest
from django.utils import timezone

from feeds.sources.activity import DAYS, items_by_day
from tests.make import make_item, make_source

pytestmark = pytest.mark.django_db


def test_days_are_counted_and_today_is_last() -> None:
    busy, quiet, other = make_source("busy"), make_source("quiet"), make_source("other")
    noon = timezone.now().replace(hour=12, minute=0, second=0)
    for days in (0, 0, 1, DAYS - 1, DAYS, 40):
        make_item(busy, published=noon - timedelta(days=days))
    make_item(busy, published=noon + timedelta(days=3))
    make_item(other)

    days = items_by_day([busy.pk, quiet.pk])

    assert days == {busy.pk: [1, *[0] * (DAYS - 3), 1, 3]}


def test_no_sources_need_no_query() -> None:
    assert items_by_day([]) == {}
