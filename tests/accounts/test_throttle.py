"""Guesses of passwords and tokens are throttled, but the reader can still sign in."""

from typing import Any

import pytest
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.http import HttpResponse
from django.test import Client

from accounts.limits import TooMany
from accounts.models import ApiToken
from tests.make import make_user

pytestmark = pytest.mark.django_db

PASSWORD = "long-enough-for-me"
STRANGER, READER = "192.0.2.7", "198.51.100.20"
hashed: list[str] = []


class QuickHasher(PBKDF2PasswordHasher):
    """Records what it hashes."""

    algorithm = "quick"
    iterations = 1

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        hashed.append(password)
        return super().encode(password, salt, iterations)


@pytest.fixture(autouse=True)
def quick(settings: Any) -> None:
    settings.PASSWORD_HASHERS = [f"{__name__}.QuickHasher"]
    hashed.clear()


def post(
    password: str,
    *,
    name: str = "reader",
    address: str = STRANGER,
    client: Any = None,
    at: str = "",
) -> HttpResponse:
    form = {"username": name, "password": password}
    client = client or Client()
    return client.post(at or "/signin/", form, REMOTE_ADDR=address)


def guess(times: int, **where: Any) -> HttpResponse:
    for _ in range(times):
        last = post("a-guess", **where)
    return last


@pytest.mark.parametrize("path", ["/signin/", "/admin/login/"])
def test_after_some_wrong_passwords_the_right_one_has_to_wait(path: str) -> None:
    make_user(password=PASSWORD, is_staff=True)

    guess(40, at=path)
    answer = post(PASSWORD, at=path)

    assert answer.status_code == 429
    wait = int(answer["Retry-After"])
    assert 0 < wait <= 30
    assert f"Too many attempts. Try again in {wait} seconds." in answer.content.decode()
    assert "sessionid" not in answer.cookies


def test_no_password_is_hashed_during_a_pause() -> None:
    make_user(password=PASSWORD)
    guess(10)
    hashed.clear()

    guess(10)

    assert hashed == []


def test_a_password_that_was_not_checked_is_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    make_user(password=PASSWORD)
    with monkeypatch.context() as patch:
        patch.setattr(QuickHasher, "encode", refuse)
        assert {guess(1).status_code for _ in range(8)} == {429}

    assert post(PASSWORD).status_code == 302


def refuse(*_: Any, **__: Any) -> str:
    raise TooMany(2)


def test_a_few_wrong_passwords_cause_no_pause() -> None:
    make_user(password=PASSWORD)

    guess(5)

    assert post(PASSWORD).status_code == 302


def test_names_that_exist_and_names_that_do_not_are_refused_alike() -> None:
    make_user(password=PASSWORD)

    known = [guess(1, name="reader").content for _ in range(8)]
    unknown = [guess(1, name="nobody", address="192.0.2.8").content for _ in range(8)]

    assert [b"Try again in" in page for page in known].count(True) == 2
    assert [b"Try again in" in page for page in unknown].count(True) == 2
    assert len(hashed) == 13  # six guesses each, and the one that made the account


def test_a_reader_can_sign_in_while_a_stranger_guesses() -> None:
    make_user(password=PASSWORD)

    guess(20, address=STRANGER)

    assert post(PASSWORD, address=READER).status_code == 302


def test_many_addresses_together_are_limited_by_account() -> None:
    make_user(password=PASSWORD)

    answers = [guess(1, address=f"192.0.2.{n}").status_code for n in range(1, 80)]

    assert answers.count(200) == 51
    assert post(PASSWORD, address=READER).status_code == 429


def test_a_known_browser_can_sign_in_although_the_account_is_limited() -> None:
    make_user(password=PASSWORD)
    browser = Client()
    post(PASSWORD, client=browser)
    browser.post("/signout/")
    for n in range(1, 80):
        guess(1, address=f"192.0.2.{n}")

    answer = post(PASSWORD, client=browser, address=READER)

    assert answer.status_code == 302


def test_a_known_browser_is_limited_too() -> None:
    make_user(password=PASSWORD)
    browser = Client()
    post(PASSWORD, client=browser)
    browser.post("/signout/")

    assert guess(20, client=browser).status_code == 429


def test_one_address_is_limited_across_accounts() -> None:
    answers = [guess(1, name=f"name{n}").status_code for n in range(30)]

    assert answers[-1] == 429


def test_addresses_of_one_ipv6_network_count_as_one() -> None:
    for n in range(10):
        last = guess(1, address=f"2001:db8:1:2::{n:x}")

    assert last.status_code == 429
    assert guess(1, address="2001:db8:1:3::1").status_code == 200


def test_signing_in_resets_the_count() -> None:
    make_user(password=PASSWORD)

    guess(4)
    post(PASSWORD)

    assert guess(5).status_code == 200


def test_signing_in_to_an_account_of_their_own_does_not_free_a_guesser() -> None:
    make_user(password=PASSWORD)

    for n in range(15):
        guess(1, name=f"name{n}")
    assert post(PASSWORD).status_code == 302

    assert 429 in [guess(1, name=f"other{n}").status_code for n in range(10)]


def test_guessing_tokens_is_throttled() -> None:
    token = ApiToken.issue(make_user(), "mine")

    def ask(with_token: str, address: str = STRANGER) -> HttpResponse:
        headers = {"Authorization": f"Bearer {with_token}"}
        return Client().get("/api/v1/sources/", headers=headers, REMOTE_ADDR=address)

    answers = [ask(f"ain_guess{n}").status_code for n in range(40)]

    assert answers[0] == 401
    assert answers[-1] == 429
    assert ask(token).status_code == 429
    assert ask(token, READER).status_code == 200


def test_a_program_with_a_revoked_token_does_not_lock_out_its_neighbours() -> None:
    token = ApiToken.issue(make_user(), "mine")

    def ask(with_token: str) -> int:
        headers = {"Authorization": f"Bearer {with_token}"}
        return Client().get("/api/v1/sources/", headers=headers).status_code

    assert {ask("ain_revoked") for _ in range(60)} == {401}
    assert ask(token) == 200


def test_the_old_password_cannot_be_guessed_from_a_session() -> None:
    client = Client()
    client.force_login(make_user(password=PASSWORD))
    new = "another-long-one-1"
    form = {"section": "password", "new_password1": new, "new_password2": new}

    for _ in range(10):
        client.post("/preferences/", form | {"old_password": "a-guess"})
    answer = client.post("/preferences/", form | {"old_password": PASSWORD})

    assert answer.status_code == 429
