"""Editions leave by real mail servers and webhooks, once each, and try again when they must."""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator
from datetime import timedelta
from email import message_from_bytes, policy
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import User
from digests.channels import webhook as webhooks
from digests.channels.mail import edition_email
from digests.channels.outbox import (
    GIVEN_UP_AFTER,
    MAY_HAVE_ARRIVED,
    count_overdue,
    deliver,
    due_deliveries,
    plan_deliveries,
)
from digests.models import Channel, Delivery, Digest
from digests.tasks import deliver_digests, write_due_digests
from tests.digests.make import TEXT, make_channel, make_edition, make_reader
from tests.digests.receivers import (
    Mailbox,
    endless,
    fall_silent,
    hang_up,
    mail_server,
    reply,
    webhook,
)
from tests.make import make_item, make_source, make_story

pytestmark = pytest.mark.django_db
SITE = "https://news.example"
State = Delivery.State


@pytest.fixture(autouse=True)
def site(settings: LazySettings) -> None:
    settings.SITE_URL = SITE
    settings.EMAIL_FROM = "AI News <news@news.example>"
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]


@pytest.fixture
def mailbox(settings: LazySettings) -> Iterator[Mailbox]:
    with mail_server() as box:
        settings.EMAIL_URL = box.url
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", box.port
        yield box


@pytest.fixture
def reader() -> User:
    return make_reader()


def planned(reader: User, kind: str, target: str, *titles: str, **overrides: Any) -> Delivery:
    """An edition that waits to leave by a channel of that kind."""
    channel = make_channel(reader, kind, target, **overrides)
    assert plan_deliveries(make_edition(reader, *titles)) == 1
    return Delivery.objects.get(channel=channel)


def send_one(delivery: Delivery) -> bool:
    return deliver([delivery.pk], 60) == 1


def after(delivery: Delivery) -> Delivery:
    send_one(delivery)
    delivery.refresh_from_db()
    return delivery


def test_a_letter_has_both_parts_and_can_be_ended_with_one_click(
    reader: User, mailbox: Mailbox
) -> None:
    delivery = planned(reader, "email", "reader@example.org", "A lab — “publishes” 漢")

    after(delivery)

    letter = mailbox.letters[0]
    assert delivery.state == State.SENT
    assert letter["To"] == "reader@example.org" and letter["From"] == "AI News <news@news.example>"
    assert "A lab — “publishes” 漢" in letter["Subject"]
    assert letter["Auto-Submitted"] == "auto-generated" and letter["Date"]
    assert letter["Message-ID"] == f"<digest-{delivery.pk}.news.example@news.example>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    ends = letter["List-Unsubscribe"].strip()
    assert ends.startswith(f"<{SITE}/digest/unsubscribe/")
    assert letter.get_content_type() == "multipart/alternative"
    text, html = (part.get_content() for part in letter.iter_parts())
    for part in (text, html):
        assert "seven billion weights" in part and "“publishes” 漢" in part
        assert f"{SITE}/story/" in part and ends[1:-1] in part
    assert "<img" not in html and "<script" not in html and "src=" not in html
    assert "prefers-color-scheme: dark" in html


def test_a_letter_shows_the_coverage_as_a_table_and_as_characters(
    reader: User, mailbox: Mailbox
) -> None:
    now = timezone.now()
    items = [
        make_item(
            make_source(f"paper{n}", reader=reader),
            f"Part {n}",
            text=TEXT,
            published=now - timedelta(hours=9 - 2 * n),
        )
        for n in range(4)
    ]
    make_story(*items)

    after(planned(reader, "email", "reader@example.org", "Another story"))

    text, html = (part.get_content() for part in mailbox.letters[0].iter_parts())
    assert html.count('class="first"') == 1
    assert html.count('class="article"') == 3
    assert "<svg" not in html and "var(" not in html
    assert "●─" in text
    for part in (text, html):
        assert "4 articles from 4 sources. First: Paper0," in " ".join(part.split())


def test_a_letter_of_nine_stories_is_not_cut_off_by_mail_programs(
    reader: User, mailbox: Mailbox
) -> None:
    titles = [f"{n} " + "A rather long headline about a model " * 3 for n in range(20)]

    after(planned(reader, "email", "reader@example.org", *titles))

    # Gmail cuts what is longer than 102 kB.
    assert len(mailbox.letters[0].as_bytes()) < 80_000


def test_the_id_of_a_letter_is_one_where_the_site_has_a_port(
    reader: User, settings: LazySettings
) -> None:
    settings.SITE_URL = "https://news.example:8443"
    channel = make_channel(reader, "email", "me@example.org")

    letter = edition_email(channel, make_edition(reader), "digest-1")

    written = message_from_bytes(letter.message().as_bytes(), policy=policy.default)
    assert written["Message-ID"].defects == ()
    assert written["Message-ID"] == "<digest-1.news.example.8443@news.example>"


def test_a_headline_cannot_add_headers_or_markup(reader: User, mailbox: Mailbox) -> None:
    title = "Model\r\nBcc: all@example.org\r\n\r\n<img src=x> <b>bold</b>"

    after(planned(reader, "email", "reader@example.org", title))

    letter = mailbox.letters[0]
    assert letter["Bcc"] is None
    html = list(letter.iter_parts())[1].get_content()
    assert "<img" not in html and "&lt;b&gt;bold" in html


@pytest.mark.parametrize("answer", ["451 4.3.0 Try again later", "452 Too much mail"])
def test_mail_that_is_refused_for_now_is_tried_again(
    reader: User, mailbox: Mailbox, answer: str
) -> None:
    mailbox.refusals = [answer]
    delivery = after(planned(reader, "email", "reader@example.org"))
    assert (delivery.state, mailbox.letters) == (State.WAITING, [])
    assert answer[:3] in delivery.error
    assert due_deliveries() == []

    Delivery.objects.update(next_try_at=timezone.now())

    assert after(delivery).state == State.SENT
    assert len(mailbox.letters) == 1


def test_a_mailbox_that_is_not_there_stops_the_channel_and_says_so(
    reader: User, mailbox: Mailbox
) -> None:
    mailbox.refused_recipient = "550 5.1.1 No such user here"

    delivery = after(planned(reader, "email", "gone@example.org"))

    channel = Channel.objects.get()
    assert (delivery.state, channel.state) == (State.GIVEN_UP, Channel.State.DISABLED)
    assert channel.reason == "The mail server rejected the e-mail (550: 5.1.1 No such user here)."


def test_a_mail_server_that_is_away_is_asked_again(
    reader: User, mailbox: Mailbox, settings: LazySettings
) -> None:
    settings.EMAIL_PORT = 9

    delivery = after(planned(reader, "email", "reader@example.org"))

    assert delivery.state == State.WAITING
    assert "cannot be reached" in delivery.error


def test_without_a_mail_server_the_reader_hears_what_the_operator_must_do(reader: User) -> None:
    delivery = after(planned(reader, "email", "reader@example.org"))

    assert delivery.state == State.WAITING
    assert delivery.error == "E-mail isn't set up on this server."


def test_a_webhook_is_signed_as_standard_webhooks_says(reader: User) -> None:
    with webhook(reply(204)) as receiver:
        delivery = after(planned(reader, "webhook", receiver.url))

    taken = receiver.taken[0]
    key = base64.b64decode(webhooks.KIND.secret(delivery.channel).removeprefix("whsec_"))
    sent_at = taken.headers["webhook-timestamp"]
    signed = f"digest-{delivery.pk}.{sent_at}.".encode() + taken.body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert taken.headers["webhook-signature"] == f"v1,{expected}"
    assert taken.headers["webhook-id"] == f"digest-{delivery.pk}"
    assert abs(int(sent_at) - timezone.now().timestamp()) < 60
    assert taken.json["type"] == "digest"
    assert taken.json["data"]["content"]["stories"][0]["headline"] == "A lab publishes a model"
    assert taken.json["data"]["url"] == f"{SITE}/digest/{delivery.digest.date}/"


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        ("slack", ("blocks", 1, "text", "text")),
        ("discord", ("embeds", 0, "title")),
        ("mattermost", ("text",)),
    ],
)
def test_each_chat_gets_its_own_form(reader: User, kind: str, where: tuple[Any, ...]) -> None:
    with webhook(reply(200)) as receiver:
        delivery = after(planned(reader, kind, receiver.url))

    said = receiver.taken[0].json
    for step in where:
        said = said[step]
    assert delivery.state == State.SENT
    assert "A lab publishes a model" in said


def test_a_server_that_fails_is_tried_again_ever_more_seldom(reader: User) -> None:
    with webhook(reply(500), reply(502), reply(200)) as receiver:
        delivery = planned(reader, "slack", receiver.url)
        pauses = []
        for _ in range(2):
            after(delivery)
            pauses.append(delivery.next_try_at - timezone.now())
            assert delivery.state == State.WAITING and "reported an error (50" in delivery.error
            Delivery.objects.update(next_try_at=timezone.now())
        after(delivery)

    assert delivery.state == State.SENT and delivery.attempts == 3 and not delivery.error
    assert timedelta(seconds=50) < pauses[0] < timedelta(minutes=2) < pauses[1]


def test_who_asks_to_come_later_is_left_alone_until_then(reader: User) -> None:
    with webhook(reply(429, Retry_After="7200")) as receiver:
        delivery = after(planned(reader, "discord", receiver.url))

    wait = delivery.next_try_at - timezone.now()
    assert timedelta(minutes=119) < wait < timedelta(minutes=121)
    assert send_one(delivery) is False and len(receiver.taken) == 1


def test_it_is_given_up_after_three_days_and_said(reader: User) -> None:
    with webhook(reply(500)) as receiver:
        delivery = planned(reader, "slack", receiver.url)
        Delivery.objects.update(created_at=timezone.now() - GIVEN_UP_AFTER)
        after(delivery)

    assert delivery.state == State.GIVEN_UP
    assert delivery.error == "The service reported an error (500). Gave up after three days."


def test_a_channel_that_keeps_failing_is_stopped_with_the_reason(reader: User) -> None:
    with webhook(reply(400)) as receiver:
        channel = make_channel(reader, "slack", receiver.url)
        for days in range(3):
            digest = make_edition(reader, f"Title {days}")
            Digest.objects.filter(pk=digest.pk).update(date=digest.date - timedelta(days=9 - days))
            plan_deliveries(digest)
            assert deliver_digests() == 0

    channel.refresh_from_db()
    assert channel.state == Channel.State.DISABLED
    assert channel.reason == "The service rejected the message (400)."


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_webhook_that_was_taken_back_stops_at_once(reader: User, status: int) -> None:
    with webhook(reply(status)) as receiver:
        delivery = after(planned(reader, "slack", receiver.url))

    channel = Channel.objects.get()
    assert delivery.state == State.GIVEN_UP
    assert channel.state == Channel.State.DISABLED and f"({status})" in channel.reason


def test_a_redirect_is_never_followed(reader: User, settings: LazySettings) -> None:
    with webhook(reply(200)) as private, webhook(reply(307, Location=private.url)) as receiver:
        port = receiver.server_port
        settings.FETCH_ALLOW_PRIVATE = [f"127.0.0.1:{port}"]
        delivery = after(planned(reader, "webhook", receiver.url))

    assert private.taken == [] and len(receiver.taken) == 1
    assert delivery.state == State.GIVEN_UP and "redirects elsewhere" in delivery.error


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.1:8080/hook",
        "http://localhost/hook",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/hook",
        "http://10.0.0.1/hook",
        "http://2130706433/hook",
    ],
)
def test_nothing_is_posted_into_the_operator_s_network(
    reader: User, settings: LazySettings, target: str
) -> None:
    settings.FETCH_ALLOW_PRIVATE = []

    delivery = after(planned(reader, "webhook", target))

    assert delivery.state == State.GIVEN_UP
    assert "private address" in delivery.error


def test_who_takes_it_and_says_nothing_may_have_it(reader: User) -> None:
    with webhook(hang_up) as receiver:
        to_chat = after(planned(reader, "slack", receiver.url))
        channel = make_channel(reader, "webhook", receiver.url)
        plan_deliveries(to_chat.digest)
        to_program = after(Delivery.objects.get(channel=channel))

    assert to_chat.state == State.GIVEN_UP and "may have arrived" in to_chat.error
    assert to_program.state == State.WAITING  # a program knows a second copy by its id


def test_a_silent_server_is_left_after_a_while(reader: User, settings: LazySettings) -> None:
    settings.FETCH_TIMEOUT = 0.5
    with webhook(fall_silent(3)) as receiver:
        delivery = after(planned(reader, "webhook", receiver.url))

    assert delivery.state == State.WAITING
    assert delivery.error == "No response within 0.5 seconds."


def test_servers_that_hang_hold_up_no_other(reader: User, settings: LazySettings) -> None:
    settings.FETCH_TIMEOUT = 2.0
    with webhook(fall_silent(4)) as silent, webhook(reply(200)) as receiver:
        for n in range(9):
            make_channel(reader, "webhook", f"{silent.url}{n}")
        make_channel(reader, "webhook", receiver.url)
        plan_deliveries(make_edition(reader))
        started = timezone.now()
        sent = deliver_digests()

    assert sent == 1
    assert timezone.now() - started < timedelta(seconds=8)


def test_an_endless_reply_is_not_read(reader: User) -> None:
    with webhook(endless) as receiver:
        started = timezone.now()
        delivery = after(planned(reader, "webhook", receiver.url))

    assert delivery.state == State.SENT
    assert timezone.now() - started < timedelta(seconds=10)


def test_a_delivery_is_planned_and_sent_once(reader: User) -> None:
    with webhook(reply(200)) as receiver:
        delivery = planned(reader, "slack", receiver.url)
        plan_deliveries(delivery.digest)

        assert [send_one(delivery), send_one(delivery)] == [True, False]
        assert deliver_digests() == 0

    assert len(receiver.taken) == Delivery.objects.count() == 1


def test_what_another_worker_holds_is_left_to_it(reader: User) -> None:
    with webhook(reply(200)) as receiver:
        delivery = planned(reader, "slack", receiver.url)
        later = timezone.now() + timedelta(minutes=1)
        Delivery.objects.update(state=State.CLAIMED, until=later)
        assert not send_one(delivery)

        Delivery.objects.update(until=timezone.now() - timedelta(seconds=1))
        assert due_deliveries() == [delivery.pk] and send_one(delivery)


def test_what_a_worker_died_over_while_sending_is_not_repeated(reader: User) -> None:
    with webhook(reply(200)) as receiver:
        delivery = planned(reader, "slack", receiver.url)
        gone = timezone.now() - timedelta(seconds=1)
        Delivery.objects.update(state=State.SENDING, until=gone)

        assert deliver_digests() == 0

    delivery.refresh_from_db()
    assert (delivery.state, delivery.error, receiver.taken) == (
        State.GIVEN_UP,
        MAY_HAVE_ARRIVED,
        [],
    )


def test_a_program_gets_again_what_a_worker_died_over(reader: User) -> None:
    with webhook(reply(200)) as receiver:
        delivery = planned(reader, "webhook", receiver.url)
        gone = timezone.now() - timedelta(seconds=1)
        Delivery.objects.update(state=State.SENDING, until=gone)

        assert deliver_digests() == 1

    assert receiver.taken[0].headers["webhook-id"] == f"digest-{delivery.pk}"


def test_an_edition_that_is_due_is_written_and_leaves(reader: User) -> None:
    make_story(make_item(make_source("one", reader=reader), text=TEXT))
    make_story(make_item(make_source("all", is_public=True), "For all", text=TEXT))
    with webhook(reply(200)) as receiver:
        make_channel(reader, "webhook", receiver.url)
        make_channel(make_reader("other"), "webhook", receiver.url, is_global=True)

        assert write_due_digests() == 2
        assert write_due_digests() == 0

    told = [t.json["data"] for t in receiver.taken]
    assert sorted(d["is_global"] for d in told) == [False, True]
    assert {d["content"]["stories"][0]["headline"] for d in told} == {
        "A lab publishes a model",
        "For all",
    }


def test_nothing_leaves_by_channels_that_are_off_or_not_confirmed(reader: User) -> None:
    make_channel(reader, "email", "a@example.org", state=Channel.State.UNCONFIRMED)
    make_channel(reader, "slack", "https://hooks.example/x", state=Channel.State.DISABLED)
    make_channel(reader, "feed")
    make_channel(make_reader("gone", is_active=False), "slack", "https://a.example", is_global=True)

    assert plan_deliveries(make_edition(reader)) == 0
    assert plan_deliveries(make_edition(None, "For all")) == 0


def test_what_waits_does_not_leave_for_a_reader_who_was_switched_off(reader: User) -> None:
    with webhook(reply(503), reply(200)) as receiver:
        delivery = planned(reader, "webhook", receiver.url)
        send_one(delivery)
        Delivery.objects.update(next_try_at=timezone.now())
        User.objects.update(is_active=False)

        assert deliver_digests() == 0
        assert count_overdue(timezone.now() + timedelta(days=1)) == 0

    assert len(receiver.taken) == 1


def test_messages_are_json_that_names_no_one(reader: User) -> None:
    with webhook(reply(200)) as receiver:
        after(planned(reader, "discord", receiver.url, "@everyone [x](https://evil.example)"))

    said = receiver.taken[0].json
    assert said["allowed_mentions"] == {"parse": []}
    assert "@everyone" not in json.dumps(said, ensure_ascii=False)
