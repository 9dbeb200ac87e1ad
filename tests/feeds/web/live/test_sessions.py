"""A socket ends with the session that it was opened with."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.contrib.sessions.models import Session
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.models import Writing
from feeds.web.live import socket as socket_module
from feeds.web.live.socket import SIGNED_OUT, TOO_MANY
from tests.feeds.web.live.sockets import by_another_process, socket_of
from tests.make import make_user

pytestmark = pytest.mark.django_db(transaction=True)
DIGEST_PATHS = ["/ws/digest/", "/ws/digest/global/"]
PASSWORD = "correct horse battery"
AT_MOST = 5.0
"""Seconds that a socket may outlive its session."""


def sign_in() -> Client:
    """A browser of a reader whose edition is being written, as everyone's is."""
    user = make_user(password=PASSWORD)
    now = timezone.now()
    for owner in (user, None):
        Writing.objects.create(user=owner, date=now.date(), next_try_at=now, until=now)
    browser = Client()
    browser.force_login(user)
    return browser


def sign_out(browser: Client) -> None:
    assert browser.post("/signout/").status_code == 302


def deactivate(browser: Client) -> None:
    User.objects.update(is_active=False)


def change_password(browser: Client) -> None:
    """By the reader from another machine, or by the operator."""
    user = User.objects.get()
    user.set_password("another one")
    user.save()


def change_own_password(browser: Client) -> None:
    """By the page, which gives this browser a new session."""
    new = "quite another one 7"
    sent = {"old_password": PASSWORD, "new_password1": new, "new_password2": new}
    answer = browser.post("/preferences/", sent | {"section": "password"})
    assert answer.status_code == 302


def expire(browser: Client) -> None:
    Session.objects.update(expire_date=timezone.now() - timedelta(seconds=1))


ENDS = [sign_out, deactivate, change_password, change_own_password, expire]
CASES = [*((end, "/ws/") for end in ENDS), *((sign_out, path) for path in DIGEST_PATHS)]


@pytest.mark.parametrize(("end", "path"), CASES)
async def test_a_socket_ends_soon_after_its_session(
    end: Callable[[Client], None], path: str
) -> None:
    browser = await sync_to_async(sign_in)()
    socket = socket_of(browser, path)
    assert (await socket.connect())[0]
    assert (await socket.receive_json_from(5))["kind"] in ("hello", "writing")

    await by_another_process(lambda: end(browser))
    ended_at = time.monotonic()
    sent = await socket.receive_output(AT_MOST + 1)
    while sent["type"] != "websocket.close":
        sent = await socket.receive_output(AT_MOST + 1)

    assert time.monotonic() - ended_at < AT_MOST
    assert sent["code"] == SIGNED_OUT


async def test_a_socket_ends_soon_after_its_reader_was_deleted() -> None:
    browser = await sync_to_async(sign_in)()
    socket = socket_of(browser)
    await socket.connect()
    await socket.receive_json_from(5)

    await by_another_process(User.objects.all().delete)

    assert (await socket.receive_output(AT_MOST))["code"] == SIGNED_OUT


async def test_a_socket_stays_as_long_as_its_session_does() -> None:
    browser = await sync_to_async(sign_in)()
    socket = socket_of(browser)
    await socket.connect()
    await socket.receive_json_from(5)

    assert await socket.receive_nothing(timeout=AT_MOST)
    await socket.disconnect()


async def test_a_reader_opens_sockets_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_module, "MAX_SOCKETS", 2)
    browser = await sync_to_async(sign_in)()
    first, second, third = (socket_of(browser) for _ in range(3))
    for one in (first, second):
        await one.connect()
        await one.receive_json_from(5)

    assert await third.connect() == (False, TOO_MANY)

    await first.disconnect()
    again = socket_of(browser)
    assert (await again.connect())[0]
    await second.disconnect()
    await again.disconnect()
