"""Sessions and their users are read by one query, and every change counts at the next request."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from accounts.models import User
from accounts.sessions import SessionStore
from tests.make import make_user

pytestmark = pytest.mark.django_db
PAGE = "/trends/"


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    assert client.get(PAGE).status_code == 200
    return client


def is_signed_in(client: Client) -> bool:
    response = client.get(PAGE)
    return bool(response.status_code == 200)


def test_the_session_and_its_user_are_one_query() -> None:
    client = signed_in(make_user())
    with CaptureQueriesContext(connection) as captured:
        response = client.get(PAGE)

    assert response.wsgi_request.user == User.objects.get()
    about = [
        query["sql"]
        for query in captured
        if "django_session" in query["sql"] or 'FROM "accounts_user"' in query["sql"]
    ]
    assert len(about) == 1


def test_changes_of_the_user_are_seen_at_once() -> None:
    user = make_user()
    client = signed_in(user)
    User.objects.update(theme="dark", time_zone="Asia/Tokyo")

    seen: Any = client.get(PAGE).wsgi_request.user
    assert (seen.theme, seen.time_zone) == ("dark", "Asia/Tokyo")
    assert "session_data" not in vars(seen._wrapped)


def test_a_session_that_ended_is_over_at_once() -> None:
    user = make_user()
    ended, expired, cleared = (signed_in(user) for _ in range(3))
    Session.objects.filter(session_key=ended.cookies["sessionid"].value).delete()
    Session.objects.filter(session_key=expired.cookies["sessionid"].value).update(
        expire_date=timezone.now() - timedelta(seconds=1)
    )
    assert not is_signed_in(ended)
    assert not is_signed_in(expired)
    cleared.post("/signout/")
    assert not is_signed_in(cleared)


def test_a_new_password_ends_other_sessions_at_once() -> None:
    user = make_user()
    client = signed_in(user)
    user.set_password("another one")
    user.save()

    assert not is_signed_in(client)
    assert not Session.objects.exists()  # Django ends it for good


def test_a_disabled_or_deleted_user_is_signed_out_at_once() -> None:
    disabled, deleted = make_user("disabled"), make_user("deleted")
    clients = signed_in(disabled), signed_in(deleted)
    User.objects.filter(pk=disabled.pk).update(is_active=False)
    deleted.delete()

    assert [is_signed_in(client) for client in clients] == [False, False]


def test_a_session_that_another_user_signs_in_to_is_theirs() -> None:
    one, two = make_user("one"), make_user("two")
    client = signed_in(one)
    key = client.cookies["sessionid"].value
    other = signed_in(two)
    store = SessionStore(other.cookies["sessionid"].value)
    Session.objects.filter(session_key=key).update(
        session_data=Session.objects.get(session_key=store.session_key).session_data
    )

    assert client.get(PAGE).wsgi_request.user == two
    assert client.get(PAGE).wsgi_request.user == two


def test_a_session_without_a_user_is_read() -> None:
    store = SessionStore()
    store["colour"] = "blue"
    store.save()

    for _ in range(2):
        again = SessionStore(store.session_key)
        assert (again["colour"], again.user) == ("blue", None)
