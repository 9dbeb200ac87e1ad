"""Each action of a reader sets a new cache version, and no version is ever used again."""

import pytest
from django.test import Client

from accounts.models import User
from tests.make import make_user

pytestmark = pytest.mark.django_db


def version(user: User) -> int:
    return User.objects.values_list("version", flat=True).get(pk=user.pk)


def test_each_action_sets_a_new_cache_version() -> None:
    reader, other = make_user(), make_user("other")
    before = version(reader), version(other)

    reader.bump_cache_version()

    assert version(reader) == reader.version != before[0]
    assert version(other) == before[1]


def test_saving_a_whole_row_does_not_restore_an_old_version() -> None:
    reader = make_user()
    read_before = User.objects.get(pk=reader.pk)
    reader.bump_cache_version()

    read_before.theme = "dark"
    read_before.save()

    assert version(reader) == reader.version
    assert User.objects.get(pk=reader.pk).theme == "dark"


def test_saving_preferences_sets_a_new_cache_version(client: Client) -> None:
    reader = make_user()
    client.force_login(reader)
    before = version(reader)

    form = {"section": "digest", "digest_hour": "8", "time_zone": "Europe/Berlin"}
    assert client.post("/preferences/", form).status_code == 302

    assert version(reader) != before
