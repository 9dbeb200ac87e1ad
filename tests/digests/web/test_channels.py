"""The page of channels: adding, confirming, testing, switching off; and links without a session."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.conf import LazySettings
from django.test import Client
from django.utils import timezone

from accounts.models import User
from digests.channels.links import CONFIRM, FEED, UNSUBSCRIBE, token_for
from digests.models import Channel, Delivery
from digests.web.forms import ChannelForm
from tests.digests.make import make_channel
from tests.digests.receivers import Mailbox, mail_server, reply, webhook
from tests.make import make_user

pytestmark = pytest.mark.django_db
PAGE = "/digest/delivery/"
State = Channel.State


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Mailbox]:
    with mail_server() as box:
        settings.EMAIL_URL, settings.EMAIL_FROM = box.url, "news@news.example"
        settings.SITE_URL = "https://news.example"
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        yield box


def add(client: Client, kind: str, target: str = "", which: str = "own") -> str:
    sent = {"kind": kind, "which": which, "target": target}
    return client.post(PAGE, sent, follow=True).content.decode()


def act(client: Client, channel: Channel, action: str) -> str:
    sent = client.post(f"{PAGE}{channel.pk}/", {"action": action}, follow=True)
    channel.refresh_from_db()
    return sent.content.decode()


def test_an_address_gets_letters_only_after_its_owner_said_so(
    page: Client, mailbox: Mailbox, client: Client
) -> None:
    add(page, "email", "me@example.org")
    channel = Channel.objects.get()
    assert channel.state == State.UNCONFIRMED
    letter = mailbox.letters[0]
    assert letter["To"] == "me@example.org"
    path = f"/digest/confirm/{token_for(channel, CONFIRM)}/"
    assert path in letter.get_body(("plain",)).get_content()  # type: ignore[union-attr]

    stranger = Client(enforce_csrf_checks=True)
    asked = stranger.get(path).content.decode()
    channel.refresh_from_db()
    assert ">Confirm</button>" in asked and channel.state == State.UNCONFIRMED

    stranger.post(path)
    channel.refresh_from_db()
    assert channel.state == State.ACTIVE


def test_a_question_of_long_ago_cannot_be_answered(reader: User, client: Client) -> None:
    channel = make_channel(reader, "email", "me@example.org", state=State.UNCONFIRMED)
    Channel.objects.update(created_at=timezone.now() - timedelta(days=4))

    assert client.post(f"/digest/confirm/{token_for(channel, CONFIRM)}/").status_code == 404


def test_nobody_is_asked_too_often(page: Client, mailbox: Mailbox) -> None:
    for n in range(7):
        add(page, "email", f"victim{n}@example.org")

    assert len(mailbox.letters) == 5
    assert "Too many e-mails today" in add(page, "email", "x@example.org")


def test_one_click_ends_the_letters_without_a_session(reader: User, mailbox: Mailbox) -> None:
    channel = make_channel(reader, "email", "me@example.org")
    path = f"/digest/unsubscribe/{token_for(channel, UNSUBSCRIBE)}/"
    program = Client(enforce_csrf_checks=True)

    assert ">Unsubscribe</button>" in program.get(path).content.decode()
    channel.refresh_from_db()
    assert channel.state == State.ACTIVE
    answer = program.post(path, {"List-Unsubscribe": "One-Click"})

    channel.refresh_from_db()
    assert (answer.status_code, channel.state) == (200, State.DISABLED)


def test_no_reader_can_take_the_link_that_ends_letters_from_who_gets_them(
    page: Client, reader: User
) -> None:
    channel = make_channel(reader, "email", "victim@example.org")
    link = f"/digest/unsubscribe/{token_for(channel, UNSUBSCRIBE)}/"

    act(page, channel, "renew")

    assert Client().post(link).status_code == 200
    channel.refresh_from_db()
    assert channel.state == State.DISABLED


def test_letters_that_were_ended_begin_again_only_with_a_new_answer(
    page: Client, reader: User, mailbox: Mailbox
) -> None:
    channel = make_channel(reader, "email", "me@example.org", state=State.DISABLED)

    act(page, channel, "resume")

    assert channel.state == State.UNCONFIRMED
    assert "Confirm" in mailbox.letters[0]["Subject"]
    assert "has not been confirmed yet" in act(page, channel, "test")


@pytest.mark.parametrize("token", ["1-abc", "x", "1-", "-", "99999999999999999999-a", "²-a"])
def test_a_token_that_is_none_is_refused(client: Client, token: str) -> None:
    for page in ("unsubscribe", "confirm"):
        assert client.post(f"/digest/{page}/{token}/").status_code == 404
    assert client.get(f"/digest/feed/{token}.atom").status_code == 404


def test_a_token_is_good_for_its_own_purpose_alone(reader: User, client: Client) -> None:
    channel = make_channel(reader, "email", "me@example.org")

    assert client.post(f"/digest/unsubscribe/{token_for(channel, FEED)}/").status_code == 404
    assert client.get(f"/digest/feed/{token_for(channel, UNSUBSCRIBE)}.atom").status_code == 404


@pytest.mark.parametrize(
    ("kind", "target", "said"),
    [
        ("slack", "http://127.0.0.1:99/x", "Port 99"),
        ("slack", "ftp://hooks.example/x", "Only http:// and https://"),
        ("webhook", "", "Only http:// and https://"),
        ("webhook", "https://hooks.example/" + "x" * 2020, "too long"),
        ("email", "nobody", "Enter an e-mail address"),
        ("carrier pigeon", "x", "Select a valid choice"),
    ],
)
def test_what_cannot_work_is_refused_in_words(
    page: Client, mailbox: Mailbox, kind: str, target: str, said: str
) -> None:
    assert said in add(page, kind, target)
    assert not Channel.objects.exists()


def test_mail_that_is_not_set_up_is_said_and_its_settings_to_staff_alone(
    page: Client, reader: User
) -> None:
    said = "isn&#39;t set up on this server."
    for_staff = f"{said} Set EMAIL_URL and EMAIL_FROM and SITE_URL."

    for shown in (page.get(PAGE).content.decode(), add(page, "email", "me@example.org")):
        assert said in shown and "EMAIL_URL" not in shown
    User.objects.filter(pk=reader.pk).update(is_staff=True)
    assert for_staff in page.get(PAGE).content.decode()
    assert for_staff in add(page, "email", "me@example.org")


def test_the_same_way_is_added_once_and_not_too_many(page: Client, reader: User) -> None:
    add(page, "feed")
    assert "You already have this channel" in add(page, "feed")
    for n in range(9):
        add(page, "slack", f"https://hooks.example/{n}")
    assert "You already have 10 channels" in add(page, "slack", "https://hooks.example/more")


def test_a_form_that_is_sent_twice_at_once_adds_one_way(reader: User) -> None:
    sent = {"kind": "feed", "which": "own", "target": ""}
    forms = [ChannelForm(reader, sent), ChannelForm(reader, sent)]
    assert all(form.is_valid() for form in forms)

    assert forms[0].save() == forms[1].save()


def test_the_api_asks_the_owner_of_an_address_too(page: Client, mailbox: Mailbox) -> None:
    sent = {"kind": "email", "target": "me@example.org"}

    added = page.post("/api/v1/digest/channels/", sent, content_type="application/json")

    assert (added.status_code, added.json()["state"]) == (201, "unconfirmed")
    assert mailbox.letters[0]["To"] == "me@example.org"
    mailbox.refused_recipient = "451 4.3.0 Try again later"
    failed = page.post(
        "/api/v1/digest/channels/",
        sent | {"target": "you@example.org"},
        content_type="application/json",
    )
    assert failed.status_code == 502
    assert "The confirmation e-mail could not be sent." in failed.json()["detail"]


def test_a_test_says_whether_it_was_taken(
    page: Client, reader: User, settings: LazySettings
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with webhook(reply(200), reply(500)) as receiver:
        channel = make_channel(reader, "slack", receiver.url)
        assert "The test was sent" in act(page, channel, "test")
        assert "The service reported an error (500)" in act(page, channel, "test")

    assert "A test from AI News" in receiver.taken[0].json["text"]
    assert not Delivery.objects.exists()


def test_a_test_letter_is_the_newest_edition(page: Client, reader: User, mailbox: Mailbox) -> None:
    act(page, make_channel(reader, "email", "me@example.org"), "test")

    assert "a quiet day" in mailbox.letters[0]["Subject"]


def test_tests_are_not_sent_without_end(page: Client, reader: User, settings: LazySettings) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    with webhook(reply(200)) as receiver:
        channel = make_channel(reader, "discord", receiver.url)
        pages = [act(page, channel, "test") for _ in range(11)]

    assert len(receiver.taken) == 10
    assert "Too many tests" in pages[-1]


def test_another_reader_s_channels_are_neither_shown_nor_touched(page: Client) -> None:
    other = make_channel(make_user("other"), "slack", "https://hooks.example/theirs")

    assert "hooks.example" not in page.get(PAGE).content.decode()
    for action in ("test", "stop", "remove", "renew"):
        sent = page.post(f"{PAGE}{other.pk}/", {"action": action})
        assert sent.status_code == 404
    other.refresh_from_db()
    assert other.state == State.ACTIVE


def test_the_address_of_a_webhook_is_not_shown_whole(page: Client, reader: User) -> None:
    make_channel(reader, "slack", "https://hooks.example/services/T1/B2/secret-wxyz")

    page = page.get(PAGE).content.decode()

    assert "hooks.example/…wxyz" in page and "secret" not in page


def test_why_a_channel_was_stopped_stands_in_the_preferences(page: Client, reader: User) -> None:
    reason = "The webhook no longer exists (404). Create a new one at the service."
    make_channel(reader, "slack", "https://hooks.example/x", state=State.DISABLED, reason=reason)

    assert reason in page.get("/preferences/").content.decode()
    assert reason in page.get(PAGE).content.decode()


def test_the_number_of_queries_does_not_grow_with_the_channels(
    page: Client, reader: User, django_assert_num_queries: pytest.FixtureRequest
) -> None:
    make_channel(reader, "feed")
    page.get(PAGE)  # from now on, the session is read with its user
    with django_assert_num_queries(4):  # type: ignore[operator]
        page.get(PAGE)
    for n in range(9):
        make_channel(reader, "webhook", f"https://hooks.example/{n}")
    with django_assert_num_queries(4):  # type: ignore[operator]
        page.get(PAGE)
