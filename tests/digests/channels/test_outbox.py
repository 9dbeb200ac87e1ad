"""One worker sends a delivery, whatever others do meanwhile, and notes what became of it."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import User
from digests import channels
from digests.channels import outbox
from digests.channels.errors import DeliveryError
from digests.channels.kind import ChannelKind, Send
from digests.channels.outbox import (
    CLAIM_DURATION,
    MAY_HAVE_ARRIVED,
    count_overdue,
    deliver,
    disable,
    due_deliveries,
    last_deliveries,
    plan_deliveries,
)
from digests.models import Channel, Delivery, Digest
from tests.digests.make import make_channel, make_edition, make_reader
from tests.digests.receivers import reply, webhook
from tests.interleave import Interleaved

State = Delivery.State
SECOND = timedelta(seconds=1)


class Pager(ChannelKind):
    """Notes what it sends. `before` runs when a delivery is prepared, `fails` when it is sent."""

    name, label = "pager", "Pager"

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.before: list[Any] = []
        self.fails: list[Exception] = []

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        if self.before:
            self.before.pop()()

        def send() -> None:
            self.sent.append(delivery_id)
            if self.fails:
                raise self.fails.pop()

        return send


@pytest.fixture
def pager(monkeypatch: pytest.MonkeyPatch) -> Pager:
    kind = Pager()
    monkeypatch.setattr(channels, "KINDS", (*channels.KINDS, kind))
    return kind


@pytest.fixture
def delivery(db: None, pager: Pager) -> Delivery:
    return planned(make_reader())


def planned(reader: User, target: str = "1", days_ago: int = 0) -> Delivery:
    channel, _ = Channel.objects.get_or_create(user=reader, kind="pager", target=target)
    digest = make_edition(reader, f"Title {days_ago}")
    day = digest.date - timedelta(days=days_ago)
    Digest.objects.filter(pk=digest.pk).update(date=day)
    plan_deliveries(digest)
    return Delivery.objects.get(channel=channel, digest=digest)


def again(delivery: Delivery, **values: Any) -> Delivery:
    Delivery.objects.filter(pk=delivery.pk).update(**values)
    delivery.refresh_from_db()
    return delivery


def take_over(delivery: Delivery) -> None:
    """What another worker does when the claim of this one has run out."""
    again(delivery, until=timezone.now() - SECOND)
    assert deliver([delivery.pk], 60) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["slack", "webhook"])
def test_two_workers_that_take_the_same_delivery_send_it_once(
    kind: str, settings: LazySettings
) -> None:
    settings.FETCH_ALLOW_PRIVATE = ["127.0.0.1"]
    reader = make_reader()
    with webhook(reply(200)) as receiver:
        make_channel(reader, kind, receiver.url)
        plan_deliveries(make_edition(reader))
        (pk,) = due_deliveries()
        update = 'UPDATE "digests_delivery"'
        with Interleaved(lambda: deliver([pk], 60), stop_before=update) as slow:
            slow.wait_until_stopped()
            assert deliver([pk], 60) == 1
            assert slow.result() == 0

    assert len(receiver.taken) == 1


def test_a_worker_whose_claim_was_taken_over_sends_nothing(
    delivery: Delivery, pager: Pager
) -> None:
    pager.before = [lambda: take_over(delivery)]

    assert deliver([delivery.pk], 60) == 0

    assert pager.sent == [f"digest-{delivery.pk}"]
    again(delivery)
    assert (delivery.state, delivery.token, delivery.attempts) == (State.SENT, 2, 2)


def test_a_worker_whose_claim_was_taken_over_notes_no_failure(
    delivery: Delivery, pager: Pager
) -> None:
    def fail() -> None:
        take_over(delivery)
        raise DeliveryError("It could not be prepared.", is_gone=True)

    pager.before = [fail]

    deliver([delivery.pk], 60)

    again(delivery)
    assert (delivery.state, delivery.error) == (State.SENT, "")
    assert Channel.objects.get().state == Channel.State.ACTIVE


def test_a_claim_lasts_for_a_while_and_then_runs_out(delivery: Delivery, pager: Pager) -> None:
    seen: list[timedelta] = []

    def look() -> None:
        held = Delivery.objects.get()
        assert held.until and held.state == State.CLAIMED
        seen.append(held.until - timezone.now())
        assert due_deliveries() == []

    pager.before = [look]
    deliver([delivery.pk], 60)

    assert CLAIM_DURATION - 10 * SECOND < seen[0] <= CLAIM_DURATION + SECOND


@pytest.mark.parametrize("state", [State.CLAIMED, State.SENDING])
def test_what_a_worker_holds_is_due_only_after_its_time(
    delivery: Delivery, pager: Pager, state: str
) -> None:
    again(delivery, state=state, until=timezone.now() + timedelta(minutes=1))

    assert due_deliveries() == [] and deliver([delivery.pk], 60) == 0

    again(delivery, until=timezone.now() - SECOND)
    assert due_deliveries() == [delivery.pk]


def test_what_is_due_comes_in_its_order_and_not_before_its_time(db: None, pager: Pager) -> None:
    reader = make_reader()
    now = timezone.now()
    late, early, later = (planned(reader, target) for target in "123")
    for one, seconds in ((late, -1), (early, -5), (later, 60)):
        again(one, next_try_at=now + seconds * SECOND)

    assert due_deliveries() == [early.pk, late.pk]
    assert deliver([later.pk], 60) == 0 and pager.sent == []


@pytest.mark.parametrize("state", [State.SENT, State.GIVEN_UP])
def test_what_has_ended_is_not_taken_again(delivery: Delivery, pager: Pager, state: str) -> None:
    again(delivery, state=state, until=timezone.now() - SECOND)

    assert due_deliveries() == [] and deliver([delivery.pk], 60) == 0
    assert pager.sent == []


def test_a_success_is_noted_and_takes_the_last_error_away(delivery: Delivery, pager: Pager) -> None:
    pager.fails = [DeliveryError("Try later.")]
    assert deliver([delivery.pk], 60) == 0
    again(delivery, next_try_at=timezone.now())

    assert deliver([delivery.pk], 60) == 1

    again(delivery)
    assert (delivery.state, delivery.error, delivery.until) == (State.SENT, "", None)
    assert delivery.sent_at and timezone.now() - delivery.sent_at < 10 * SECOND


def test_a_failure_of_ours_is_tried_again_and_does_not_stop_the_others(
    delivery: Delivery, pager: Pager
) -> None:
    other = planned(make_reader("other"))
    pager.before = [lambda: 1 // 0]

    assert deliver([delivery.pk, other.pk], 60) == 1

    again(delivery)
    assert delivery.state == State.WAITING and delivery.until is None
    assert delivery.error == "Internal error. The server log has the details."


def test_nothing_more_is_taken_when_the_time_is_over(delivery: Delivery, pager: Pager) -> None:
    assert deliver([delivery.pk], -1) == 0
    assert pager.sent == []


def test_more_than_are_sent_at_once_all_leave(
    db: None, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "MAX_CONCURRENT", 2)
    reader = make_reader()
    pks = [planned(reader, str(n)).pk for n in range(5)]

    assert deliver(pks, 60) == 5
    assert sorted(pager.sent) == sorted(f"digest-{pk}" for pk in pks)


def test_one_that_takes_long_keeps_no_other_waiting(
    db: None, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is sent only when the third was, for which the second must make room."""
    monkeypatch.setattr(outbox, "MAX_CONCURRENT", 2)
    reader = make_reader()
    pks = [planned(reader, str(n)).pk for n in range(3)]
    is_over = threading.Event()
    prepare = pager.prepare

    def slow(channel: Channel, digest: Digest, delivery_id: str) -> Send:
        send = prepare(channel, digest, delivery_id)

        def wait_or_send() -> None:
            if channel.target == "0":
                assert is_over.wait(10)
            send()
            if channel.target == "2":
                is_over.set()

        return wait_or_send

    monkeypatch.setattr(pager, "prepare", slow)

    assert deliver(pks, 60) == 3
    assert pager.sent[-1] == f"digest-{pks[0]}"


@pytest.mark.parametrize(
    ("attempts", "retry_after", "minutes"),
    [(0, None, 1), (1, None, 4), (2, None, 16), (4, None, 256), (5, None, 360), (60, None, 360),
     (0, 7_200, 120), (0, 5, 1), (5, 86_400, 1_440)],
)  # fmt: skip
def test_the_pause_grows_fourfold_up_to_six_hours_or_is_what_the_other_side_says(
    delivery: Delivery, pager: Pager, attempts: int, retry_after: int | None, minutes: int
) -> None:
    again(delivery, attempts=attempts)
    pager.fails = [DeliveryError("Try later.", retry_after=retry_after)]

    deliver([delivery.pk], 60)

    again(delivery)
    pause = delivery.next_try_at - timezone.now()
    assert timedelta(minutes=minutes) - 10 * SECOND < pause <= timedelta(minutes=minutes)
    assert delivery.state == State.WAITING


@pytest.mark.parametrize(("hours", "state"), [(60, State.WAITING), (70, State.GIVEN_UP)])
def test_it_is_given_up_where_the_next_try_would_come_after_three_days(
    delivery: Delivery, pager: Pager, hours: int, state: str
) -> None:
    again(delivery, attempts=9, created_at=timezone.now() - timedelta(hours=hours))
    pager.fails = [DeliveryError("Try later.")]

    deliver([delivery.pk], 60)

    again(delivery)
    assert delivery.state == state
    end = " Gave up after three days." if state == State.GIVEN_UP else ""
    assert delivery.error == f"Try later.{end}"


def test_the_reason_of_a_late_final_failure_stands_alone(delivery: Delivery, pager: Pager) -> None:
    again(delivery, created_at=timezone.now() - timedelta(days=4))
    pager.fails = [DeliveryError("No " * 150, is_final=True)]

    deliver([delivery.pk], 60)

    assert again(delivery).error == ("No " * 150)[:300]


@pytest.mark.parametrize(
    ("outcomes", "is_stopped"),
    [
        ([False, False], False),
        ([False, False, False], True),
        ([False, True, False, False], False),
        ([True, False, False, False], True),
    ],
)
def test_a_channel_stops_after_three_failures_in_a_row(
    db: None, pager: Pager, outcomes: list[bool], is_stopped: bool
) -> None:
    reader = make_reader()
    for days_ago, is_well in zip(range(9, 0, -1), outcomes, strict=False):
        pager.fails = [] if is_well else [DeliveryError("Refused.", is_final=True)]
        assert deliver([planned(reader, days_ago=days_ago).pk], 60) == is_well

    channel = Channel.objects.get()
    assert (channel.state == Channel.State.DISABLED) is is_stopped
    assert channel.reason == ("Refused." if is_stopped else "")


def test_a_channel_that_is_stopped_gives_up_what_waits_by_it_alone(db: None, pager: Pager) -> None:
    reader = make_reader()
    mine = [planned(reader, "1", days_ago=n) for n in (1, 2)]
    sent = again(planned(reader, "1", days_ago=3), state=State.SENT)
    other = planned(reader, "2")

    disable(mine[0].channel, "x" * 400)

    states = [again(one).state for one in (*mine, sent, other)]
    assert states == [State.GIVEN_UP, State.GIVEN_UP, State.SENT, State.WAITING]
    assert mine[0].error == Channel.objects.get(target="1").reason == "x" * 300
    assert Channel.objects.get(target="2").state == Channel.State.ACTIVE


def test_a_channel_that_is_off_keeps_the_reason_for_it(delivery: Delivery) -> None:
    disable(delivery.channel, "first")
    disable(delivery.channel, "second")

    assert Channel.objects.get().reason == "first"


def test_the_last_delivery_of_each_channel_is_found(db: None, pager: Pager) -> None:
    reader = make_reader()
    planned(reader, "1", days_ago=2)
    newest = planned(reader, "1", days_ago=1)
    other = planned(make_reader("other"))
    unused = make_channel(reader, "pager", "3")

    found = last_deliveries([newest.channel, other.channel, unused])

    assert found[newest.channel_id] == newest
    assert set(found) == {newest.channel_id, other.channel_id}
    assert set(last_deliveries([other.channel])) == {other.channel_id}


def test_what_waits_for_a_worker_is_counted(db: None, pager: Pager) -> None:
    reader = make_reader()
    one, two, three = (planned(reader, target) for target in "123")
    now = timezone.now()
    again(one, next_try_at=now - SECOND)
    again(two, next_try_at=now + SECOND)
    again(three, next_try_at=now - SECOND, state=State.SENT)

    assert count_overdue(now) == 1
    Channel.objects.update(state=Channel.State.DISABLED)
    assert count_overdue(now) == 0


def test_a_reader_s_edition_is_planned_for_that_reader_s_own_channels(
    db: None, pager: Pager
) -> None:
    reader, other = make_reader(), make_reader("other")
    mine = make_channel(reader, "pager", "1")
    make_channel(other, "pager", "1")
    make_channel(reader, "pager", "1", is_global=True)

    assert plan_deliveries(make_edition(reader)) == 1
    assert Delivery.objects.get().channel == mine

    assert plan_deliveries(make_edition(None, "For all")) == 1


def test_a_lost_delivery_ends_at_the_next_look_and_says_why(
    delivery: Delivery, pager: Pager
) -> None:
    again(delivery, state=State.SENDING, until=timezone.now() - SECOND)

    assert deliver(due_deliveries(), 60) == 0

    again(delivery)
    assert (delivery.state, delivery.error, delivery.until) == (
        State.GIVEN_UP,
        MAY_HAVE_ARRIVED,
        None,
    )
    assert (delivery.attempts, pager.sent) == (0, [])
