"""Signing in by a printed link."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from accounts.models import SigninToken
from tests.make import make_user

pytestmark = pytest.mark.django_db


def test_the_link_signs_in_once() -> None:
    token = SigninToken.issue(make_user())
    client = Client()

    first = client.get(f"/signin/{token}")

    assert first.status_code == 302
    assert first["Location"] == "/"
    assert "_auth_user_id" in client.session
    assert not SigninToken.objects.exists()


@pytest.mark.parametrize(
    "headers", [{"Sec-Purpose": "prefetch"}, {"Purpose": "preview"}, {"X-Moz": "prefetch"}]
)
def test_a_prefetch_does_not_use_up_the_link(headers: dict[str, str]) -> None:
    token = SigninToken.issue(make_user())

    Client().get(f"/signin/{token}", headers=headers)
    Client().head(f"/signin/{token}")

    assert Client().get(f"/signin/{token}").status_code == 302


def test_the_stored_token_is_a_hash() -> None:
    token = SigninToken.issue(make_user())

    assert token not in SigninToken.objects.get().token_hash


@pytest.mark.parametrize(
    "extra",
    [{"REMOTE_ADDR": "192.0.2.7"}, {"HTTP_X_FORWARDED_FOR": "127.0.0.1"}, {"REMOTE_ADDR": ""}],
)
def test_the_link_is_refused_from_elsewhere_and_stays_usable(extra: dict[str, str]) -> None:
    from accounts.signin import is_from_this_machine

    request = Client(**extra).get("/health").wsgi_request

    assert not is_from_this_machine(request)


def test_a_link_expires_after_fifteen_minutes() -> None:
    from accounts.signin import redeem

    token = SigninToken.issue(make_user())
    SigninToken.objects.update(created_at=timezone.now() - timedelta(minutes=16))

    assert redeem(token) is None


def test_a_used_link_is_invalid() -> None:
    from accounts.signin import redeem

    user = make_user()
    token = SigninToken.issue(user)

    assert redeem(token) == user
    assert redeem(token) is None
