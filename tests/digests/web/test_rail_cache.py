"""The edition in the rail is cached, and never older than what the reader knows."""

from typing import Any

import pytest
from django.utils import timezone

from accounts.models import User
from digests.models import Digest
from digests.web.rail import newest_edition
from tests.make import make_user

pytestmark = pytest.mark.django_db


def write(user: User, *headlines: str) -> None:
    now = timezone.now()
    content: dict[str, Any] = {"stories": [{"headline": headline} for headline in headlines]}
    values = {"content": content, "starts_at": now, "ends_at": now}
    Digest.objects.update_or_create(user=user, date=now.date(), defaults=values)
    user.bump_cache_version()


def shown_to(user: User) -> list[str]:
    edition = newest_edition(User.objects.get(pk=user.pk))
    return list(edition.headlines) if edition else []


def test_the_edition_is_read_once_and_a_new_one_shows_at_once(
    django_assert_num_queries: Any,
) -> None:
    reader = make_user()
    assert shown_to(reader) == []

    write(reader, "First")
    assert shown_to(reader) == ["First"]
    with django_assert_num_queries(1):  # that of the user
        assert shown_to(reader) == ["First"]

    write(reader, *map(str, range(7)))
    assert shown_to(reader) == ["0", "1", "2", "3", "4"]
    edition = newest_edition(reader)
    assert edition and edition.is_today
    assert shown_to(make_user("other")) == []
