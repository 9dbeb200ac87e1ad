"""The page of preferences."""

import re
from typing import Any

import pytest
from django.test import Client

from accounts.forms import InterestsForm
from accounts.models import ApiToken, User
from digests.channels.links import FEED, token_for
from digests.models import Channel
from feeds.reading.feedback import weigh_topic
from tests.make import make_user

pytestmark = pytest.mark.django_db

PASSWORD, NEW = "long-enough-for-me", "another-long-one-1"


@pytest.fixture
def reader() -> User:
    return make_user(password=PASSWORD)


@pytest.fixture
def browser(reader: User) -> Client:
    client = Client()
    client.force_login(reader)
    return client


def interests_form(client: Client) -> dict[str, str]:
    """Return the fields of the form as a browser sends them."""
    page = client.get("/preferences/").content.decode()
    form = page.partition('value="interests"')[2].partition("</form>")[0]
    fields = dict(re.findall(r'name="(initial-topic-[\w-]+)" value="(\w+)"', form))
    fields |= dict(re.findall(r'name="(topic-[\w-]+)" value="(\w+)" checked', form))
    return fields | {"section": "interests"}


def test_saving_interests_keeps_changes_of_another_page(reader: User, browser: Client) -> None:
    sent = interests_form(browser)
    weigh_topic(reader, "robotics", "more")  # on another page, after the form was shown

    browser.post("/preferences/", sent | {"topic-agents": "less"})

    reader.refresh_from_db()
    assert reader.interests == {"robotics": "more", "agents": "less"}


def test_saving_interests_keeps_a_concurrent_change(
    reader: User, browser: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = interests_form(browser)
    is_valid = InterestsForm.is_valid

    def slowly(form: InterestsForm) -> bool:
        weigh_topic(User.objects.get(pk=reader.pk), "robotics", "more")
        return is_valid(form)

    monkeypatch.setattr(InterestsForm, "is_valid", slowly)
    browser.post("/preferences/", sent | {"topic-agents": "less"})

    reader.refresh_from_db()
    assert reader.interests == {"robotics": "more", "agents": "less"}


def test_an_interest_can_be_reset_to_normal(reader: User, browser: Client) -> None:
    weigh_topic(reader, "robotics", "more")

    browser.post("/preferences/", interests_form(browser) | {"topic-robotics": "normal"})

    reader.refresh_from_db()
    assert reader.interests == {}


def test_topics_are_grouped_and_name_what_was_chosen(reader: User, browser: Client) -> None:
    weigh_topic(reader, "robotics", "more")

    page = browser.get("/preferences/").content.decode()

    assert "Robotics: more" in page
    assert page.count('<details class="topics">') == 6
    assert re.search(r'name="topic-robotics" value="more" checked', page)


def test_a_level_that_does_not_exist_is_said_at_its_topic(reader: User, browser: Client) -> None:
    answer = browser.post("/preferences/", interests_form(browser) | {"topic-agents": "loud"})

    assert answer.status_code == 422
    assert '<details class="topics" open>' in answer.content.decode()
    assert "loud is not one of the available choices" in answer.content.decode()
    reader.refresh_from_db()
    assert reader.interests == {}


def test_fields_keep_their_names_values_and_complaints(reader: User, browser: Client) -> None:
    User.objects.filter(pk=reader.pk).update(theme="dark", time_zone="Europe/Berlin")

    page = browser.get("/preferences/").content.decode()

    assert re.search(r'<option value="dark" selected>', page)
    assert re.search(r'name="time_zone" id="id_time_zone" value="Europe/Berlin"', page)
    assert re.search(r'<option value="7" selected>07:00', page)
    assert re.search(r'type="checkbox" name="keys_enabled" id="id_keys_enabled" checked', page)
    assert re.search(r'name="often" value="0123456" id="id_often_0" checked', page)
    assert "&lt;ul&gt;" not in page and "at least 8 characters" in page

    form = {"section": "digest", "often": "chosen", "digest_hour": "99", "time_zone": "Nowhere"}
    answer = browser.post("/preferences/", form)

    assert answer.status_code == 422
    shown = answer.content.decode()
    assert "Choose at least one day" in shown
    assert "99 is not one of the available choices" in shown and 'aria-invalid="true"' in shown
    assert "Unknown time zone." in shown and 'value="Nowhere"' in shown


def change_password(client: Client, **more: str) -> Any:
    form = {"section": "password", "old_password": PASSWORD}
    passwords = {"new_password1": NEW, "new_password2": NEW}
    return client.post("/preferences/", form | passwords | more, follow=True)


def test_a_new_password_offers_to_revoke_tokens_and_secret_addresses(
    reader: User, browser: Client
) -> None:
    ApiToken.issue(reader, "phone")
    feed = Channel.objects.create(user=reader, kind="feed")
    page = browser.get("/preferences/").content.decode()
    assert re.search(r'<input[^>]*name="revokes"[^>]*checked', page)
    address = f"/digest/feed/{token_for(feed, FEED)}.atom"
    assert Client().get(address).status_code == 200

    answer = change_password(browser, revokes="on").content.decode()

    assert "1 API token was revoked and 1 secret feed address was changed." in answer
    assert not reader.api_tokens.exists()
    assert Client().get(address).status_code == 404
    feed.refresh_from_db()
    assert Client().get(f"/digest/feed/{token_for(feed, FEED)}.atom").status_code == 200


def test_a_reload_of_the_page_with_a_new_token_makes_no_second_one(
    reader: User, browser: Client
) -> None:
    sent = {"section": "token", "name": "tablet"}
    assert "ain_" in browser.post("/preferences/", sent).content.decode()

    answer = browser.post("/preferences/", sent)

    assert answer.status_code == 422
    assert "You have a token with this name." in answer.content.decode()
    assert reader.api_tokens.count() == 1


def test_tokens_stay_if_the_box_is_not_ticked(reader: User, browser: Client) -> None:
    ApiToken.issue(reader, "phone")
    feed = Channel.objects.create(user=reader, kind="feed")

    answer = change_password(browser).content.decode()

    assert "API tokens and secret feed addresses still work." in answer
    assert reader.api_tokens.count() == 1
    assert Client().get(f"/digest/feed/{token_for(feed, FEED)}.atom").status_code == 200


def test_nothing_is_offered_if_there_is_nothing_to_revoke(reader: User, browser: Client) -> None:
    assert 'name="revokes"' not in browser.get("/preferences/").content.decode()

    answer = change_password(browser).content.decode()

    assert "Saved" in answer
    assert "API token" not in answer.partition('<h3 id="password">')[0]


def test_a_wrong_old_password_revokes_nothing(reader: User, browser: Client) -> None:
    ApiToken.issue(reader, "phone")

    change_password(browser, old_password="a-guess", revokes="on")

    assert reader.api_tokens.count() == 1


def test_tokens_of_other_users_stay(reader: User, browser: Client) -> None:
    other = make_user("other")
    ApiToken.issue(other, "phone")
    key = Channel.objects.create(user=other, kind="feed").key
    ApiToken.issue(reader, "phone")

    change_password(browser, revokes="on")

    assert other.api_tokens.count() == 1
    assert other.channels.get().key == key


def test_webhooks_and_e_mail_keep_their_keys(reader: User, browser: Client) -> None:
    """A webhook's receiver knows its secret, and links in an e-mail are for its readers."""
    hook = Channel.objects.create(user=reader, kind="webhook", target="https://a.example/")
    Channel.objects.create(user=reader, kind="feed")

    change_password(browser, revokes="on")

    assert reader.channels.get(pk=hook.pk).key == hook.key
