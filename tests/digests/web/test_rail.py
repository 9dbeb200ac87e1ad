"""The newest edition beside the other pages."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.models import Digest
from tests.make import make_user

pytestmark = pytest.mark.django_db


def edition(reader: User, days_ago: int, *headlines: str) -> None:
    stories = [{"headline": headline} for headline in headlines]
    day = timezone.now().date() - timedelta(days=days_ago)
    Digest.objects.create(user=reader, date=day, content={"stories": stories})


def test_the_rail_has_five_stories_of_today_s_edition(client: Client) -> None:
    reader = make_user()
    edition(reader, 0, "One", "Two", "Three", "Four", "Five", "Six")
    edition(reader, 1, "Yesterday")
    client.force_login(reader)

    page = client.get("/taste/").content.decode()

    assert "Today's digest" in page and "#story-5" in page
    assert "Six" not in page and "Yesterday</a>" not in page


def test_a_quiet_day_shows_the_edition_before_it_by_its_weekday(client: Client) -> None:
    reader = make_user()
    edition(reader, 0)
    edition(reader, 2, "Two days old")
    client.force_login(reader)
    day = timezone.now().date() - timedelta(days=2)

    page = client.get("/taste/").content.decode()

    assert f"Digest · {day:%A}" in page
    assert f'href="/digest/{day}/#story-1">Two days old</a>' in page


def test_an_edition_older_than_a_week_is_not_news(client: Client) -> None:
    reader = make_user()
    edition(reader, 8, "Old")
    edition(make_user("other"), 0, "Not yours")
    client.force_login(reader)

    page = client.get("/taste/").content.decode()

    assert "rail-digest" not in page and "Not yours" not in page
