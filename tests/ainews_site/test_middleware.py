"""Middleware for every page."""

from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from ainews_site.middleware import TimeZoneMiddleware
from tests.make import make_user

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.mark.django_db
@pytest.mark.parametrize(("zone", "hour"), [("Asia/Tokyo", "21"), ("nowhere", "12")])
def test_pages_use_the_time_zone_of_the_reader(zone: str, hour: str) -> None:
    request = HttpRequest()
    request.user = make_user(time_zone=zone)
    page = TimeZoneMiddleware(lambda _: HttpResponse(f"{timezone.localtime(NOON):%H}"))

    assert page(request).content.decode() == hour
