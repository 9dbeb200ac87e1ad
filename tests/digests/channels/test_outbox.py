"""One worker sends a delivery, whatever others do meanwhile, and notes what became of it."""

import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import db_clock
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

    assert timedelta(minutes=5) == CLAIM_DURATION
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
    claimed = again(planned(reader, "1", days_ago=4), state=State.CLAIMED)
    other = planned(reader, "2")

    disable(mine[0].channel, "x" * 400)

    states = [again(one).state for one in (*mine, sent, claimed, other)]
    assert states == [State.GIVEN_UP, State.GIVEN_UP, State.SENT, State.CLAIMED, State.WAITING]
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


def test_a_receiver_that_detects_repeats_gets_an_interrupted_delivery_again(
    delivery: Delivery, pager: Pager
) -> None:
    pager.detects_repeats = True
    again(delivery, state=State.SENDING, until=timezone.now() + timedelta(minutes=1))
    assert deliver([delivery.pk], 60) == 0

    again(delivery, until=timezone.now() - SECOND)
    assert deliver(due_deliveries(), 60) == 1
    assert (again(delivery).state, pager.sent) == (State.SENT, [f"digest-{delivery.pk}"])


@pytest.mark.parametrize("state", [State.SENT, State.GIVEN_UP, State.WAITING])
def test_a_receiver_that_detects_repeats_gets_nothing_that_was_not_interrupted(
    delivery: Delivery, pager: Pager, state: str
) -> None:
    pager.detects_repeats = True
    now = timezone.now()
    again(delivery, state=state, until=now - SECOND, next_try_at=now + timedelta(hours=1))

    assert due_deliveries() == [] and deliver([delivery.pk], 60) == 0
    assert again(delivery).state == state


@pytest.mark.parametrize(
    ("detects_repeats", "state", "message"),
    [
        (
            False,
            State.GIVEN_UP,
            "No answer. The edition may have arrived, so it is not sent again.",
        ),
        (True, State.WAITING, "No answer."),
    ],
)
def test_what_may_have_arrived_is_sent_again_only_where_repeats_are_detected(
    delivery: Delivery, pager: Pager, detects_repeats: bool, state: str, message: str
) -> None:
    pager.detects_repeats = detects_repeats
    pager.fails = [DeliveryError("No answer.", may_have_arrived=True)]

    deliver([delivery.pk], 60)

    assert (again(delivery).state, delivery.error) == (state, message)


def test_what_was_refused_is_sent_again_although_repeats_are_not_detected(
    delivery: Delivery, pager: Pager
) -> None:
    pager.fails = [DeliveryError("Try later.")]

    deliver([delivery.pk], 60)

    assert again(delivery).state == State.WAITING


def test_an_address_that_is_gone_disables_the_channel_at_once(
    delivery: Delivery, pager: Pager
) -> None:
    pager.fails = [DeliveryError("It is gone.", is_gone=True)]

    deliver([delivery.pk], 60)

    channel = Channel.objects.get()
    assert (channel.state, channel.reason) == (Channel.State.DISABLED, "It is gone.")


def test_a_failure_that_is_tried_again_disables_no_channel(db: None, pager: Pager) -> None:
    reader = make_reader()
    for days_ago in (3, 2, 1):
        again(planned(reader, days_ago=days_ago), state=State.GIVEN_UP)
    pager.fails = [DeliveryError("Try later.")]

    deliver([planned(reader).pk], 60)

    assert Channel.objects.get().state == Channel.State.ACTIVE


def test_what_still_waits_does_not_interrupt_a_row_of_failures(db: None, pager: Pager) -> None:
    reader = make_reader()
    failing = [planned(reader, days_ago=days_ago) for days_ago in (4, 3, 2)]
    waiting = again(planned(reader), next_try_at=timezone.now() + timedelta(hours=1))
    pager.fails = [DeliveryError("Refused.", is_final=True) for _ in failing]

    for one in failing:
        deliver([one.pk], 60)

    assert Channel.objects.get().state == Channel.State.DISABLED
    assert again(waiting).state == State.GIVEN_UP


def test_a_final_failure_is_never_called_late(delivery: Delivery, pager: Pager) -> None:
    again(delivery, created_at=timezone.now() - timedelta(days=4))
    pager.fails = [DeliveryError("Refused.", is_final=True)]

    deliver([delivery.pk], 60)

    assert again(delivery).error == "Refused."


def test_a_failure_is_noted_together_with_what_it_leads_to(
    delivery: Delivery, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> None:
        raise OSError("broken")

    monkeypatch.setattr(outbox, "disable", broken)
    pager.fails = [DeliveryError("It is gone.", is_gone=True)]

    with pytest.raises(OSError, match="broken"):
        deliver([delivery.pk], 60)

    assert again(delivery).state == State.SENDING


def test_an_edition_is_planned_for_active_channels_to_which_it_is_sent(
    db: None, pager: Pager
) -> None:
    reader = make_reader()
    mine = make_channel(reader, "pager", "1")
    make_channel(reader, "pager", "2", state=Channel.State.DISABLED)
    make_channel(reader, "pager", "3", state=Channel.State.UNCONFIRMED)
    make_channel(reader, "atom")
    digest = make_edition(reader)

    assert plan_deliveries(digest) == 1
    assert plan_deliveries(digest) == 1
    assert Delivery.objects.get().channel == mine
    User.objects.update(is_active=False)
    Delivery.objects.all().delete()
    assert plan_deliveries(digest) == 0


def test_what_a_channel_or_reader_no_longer_wants_is_not_due(
    delivery: Delivery, pager: Pager
) -> None:
    assert due_deliveries() == [delivery.pk]
    User.objects.update(is_active=False)
    assert due_deliveries() == []
    User.objects.update(is_active=True)
    Channel.objects.update(state=Channel.State.DISABLED)
    assert due_deliveries() == []


def test_the_moments_at_which_a_delivery_is_due_expired_late_or_overdue(
    delivery: Delivery, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    for name in ("now", "exact_now"):
        monkeypatch.setattr(db_clock, name, lambda: now)

    again(delivery, state=State.CLAIMED, until=now)
    assert due_deliveries() == [] and deliver([delivery.pk], 60) == 0

    again(delivery, state=State.WAITING, until=None, next_try_at=now)
    assert due_deliveries() == [delivery.pk]
    assert count_overdue(now) == 0
    # The next try comes exactly three days after the edition.
    again(delivery, created_at=now - timedelta(days=3) + timedelta(minutes=1))
    pager.fails = [DeliveryError("Try later.")]
    deliver([delivery.pk], 60)
    assert (again(delivery).state, delivery.attempts) == (State.WAITING, 1)


def test_an_expired_claim_has_its_place_among_what_waits(db: None, pager: Pager) -> None:
    reader, now = make_reader(), timezone.now()
    for target, seconds, values in [
        ("1", -1, {}),
        ("2", -3, {"state": State.CLAIMED, "until": now - SECOND}),
        ("3", -2, {}),
        ("4", -4, {"state": State.SENDING, "until": now - SECOND}),
    ]:
        again(planned(reader, target), next_try_at=now + seconds * SECOND, **values)

    by_pk = dict(Delivery.objects.values_list("pk", "channel__target"))
    assert [by_pk[pk] for pk in due_deliveries()] == ["4", "2", "3", "1"]


def test_no_more_are_claimed_than_can_be_sent(
    db: None, pager: Pager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A claim that waits for its turn could expire."""
    monkeypatch.setattr(outbox, "MAX_CONCURRENT", 1)
    reader = make_reader()
    pks = [planned(reader, str(n)).pk for n in range(3)]
    sent_before: list[int] = []
    prepare = pager.prepare

    def noted(channel: Channel, digest: Digest, delivery_id: str) -> Send:
        sent_before.append(len(pager.sent))
        send = prepare(channel, digest, delivery_id)

        def slowly() -> None:
            time.sleep(0.05)
            send()

        return slowly

    monkeypatch.setattr(pager, "prepare", noted)

    assert deliver(pks, 60) == 3
    assert sent_before == [0, 1, 2]


def test_a_lost_delivery_says_that_it_may_have_arrived() -> None:
    assert MAY_HAVE_ARRIVED == (
        "The worker stopped while sending. The edition may have arrived, so it is not sent again."
    )
