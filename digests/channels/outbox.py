"""Which editions wait to leave by which channel, who takes them, and what became of it.

A delivery is claimed by a conditional UPDATE, and marked once more just before anything is
sent. A worker that dies before that mark loses nothing: its claim runs out. One that dies after
it leaves a delivery of which nobody knows whether it arrived: people get no second one, while
a program, which tells it by its id, does.
"""

import logging
import time
from collections.abc import Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max, Q

from ainews_site.infra import db_clock
from digests.channels import kind_of, kinds_that_know_repeats, pushed_kinds
from digests.channels.errors import DeliveryError
from digests.channels.kind import Send
from digests.models import Channel, Delivery, Digest

logger = logging.getLogger(__name__)

State = Delivery.State
HOLD = timedelta(minutes=5)
"""Far longer than one delivery may take."""
AT_ONCE = 16
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)
MAX_GIVEN_UP = 3
"""In a row: then the channel is stopped."""
_MAY_LEAVE = Q(channel__state=Channel.State.ACTIVE, channel__user__is_active=True)
LOST = "The worker stopped while sending. The edition may have arrived, so it is not sent again."


def plan_deliveries(digest: Digest) -> int:
    """A delivery for each channel that carries this edition and has none of it; how many carry
    it. In the transaction of the caller."""
    now = db_clock.now()
    carrying = Channel.objects.filter(state=Channel.State.ACTIVE, user__is_active=True)
    carrying = carrying.filter(is_global=digest.is_global, kind__in=pushed_kinds())
    if not digest.is_global:
        carrying = carrying.filter(user=digest.user)
    planned = [
        Delivery(channel=channel, digest=digest, created_at=now, next_try_at=now)
        for channel in carrying
    ]
    Delivery.objects.bulk_create(planned, ignore_conflicts=True)
    return len(planned)


def due_deliveries() -> list[int]:
    """Those that somebody should take now, oldest first."""
    now = db_clock.ask()
    waiting = Q(state=State.WAITING, next_try_at__lte=now)
    left = Q(state__in=[State.CLAIMED, State.SENDING], until__lt=now)
    due = Delivery.objects.filter(_MAY_LEAVE, waiting | left)
    return list(due.order_by("next_try_at").values_list("pk", flat=True))


def deliver(pks: Iterable[int], seconds: float) -> int:
    """Send those that nobody else holds and whose time has come, for as many `seconds`; how
    many were taken.

    Many at once, as one server that does not answer must not hold up the others; rows are read
    and written by this thread alone.
    """
    until, sent = time.monotonic() + seconds, 0
    running: dict[Future[None], Delivery] = {}
    with ThreadPoolExecutor(AT_ONCE, "deliver") as pool:
        for pk in pks:
            if time.monotonic() > until:
                break
            if (delivery := _claim(pk)) and (send := _prepared(delivery)):
                running[pool.submit(send)] = delivery
            while len(running) >= AT_ONCE:
                sent += _settle(running)
        while running:
            sent += _settle(running)
    return sent


def _prepared(delivery: Delivery) -> Send | None:
    """What sends it, marked as being sent; None where it cannot be."""
    try:
        kind = kind_of(delivery.channel)
        send = kind.prepare(delivery.channel, delivery.digest, f"digest-{delivery.pk}")
    except Exception as error:  # noqa: BLE001 - see _note_failure
        _note_failure(delivery, error)
        return None
    return send if _mark(delivery, state=State.SENDING) else None


def _settle(running: dict[Future[None], Delivery]) -> int:
    """Note what became of those that ended first; how many arrived."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    return sum(_note(running.pop(one), one.exception()) for one in done)


def _note(delivery: Delivery, error: BaseException | None) -> bool:
    if error is not None:
        _note_failure(delivery, error)
        return False
    _mark(delivery, state=State.SENT, sent_at=db_clock.now(), error="", until=None)
    logger.info("digest_delivered delivery_id=%s kind=%s", delivery.pk, delivery.channel.kind)
    return True


def _note_failure(delivery: Delivery, error: BaseException) -> None:
    """Whatever one channel does, the others are served."""
    if not isinstance(error, DeliveryError):
        logger.error("delivery_crashed delivery_id=%s", delivery.pk, exc_info=error)
        error = DeliveryError("Internal error. The server log has the details.")
    _failed(delivery, error)


def _claim(pk: int) -> Delivery | None:
    now = db_clock.ask()
    own, is_over = Delivery.objects.filter(pk=pk), Q(until__lt=now)
    # People in a chat or at their mail cannot tell a second copy from the first.
    may_repeat = Q(channel__kind__in=kinds_that_know_repeats())
    sent = own.filter(is_over, state=State.SENDING)
    sent.exclude(may_repeat).update(state=State.GIVEN_UP, error=LOST, until=None)
    left = Q(state=State.CLAIMED) | Q(may_repeat, state=State.SENDING)
    free = Q(state=State.WAITING, next_try_at__lte=now) | (left & is_over)
    claimed = own.filter(free).update(
        state=State.CLAIMED, until=now + HOLD, token=F("token") + 1, attempts=F("attempts") + 1
    )
    return own.select_related("channel__user", "digest").get() if claimed else None


def _mark(delivery: Delivery, **values: object) -> bool:
    """False when somebody took it over since."""
    return Delivery.objects.filter(pk=delivery.pk, token=delivery.token).update(**values) == 1


@transaction.atomic
def _failed(delivery: Delivery, error: DeliveryError) -> None:
    now = db_clock.now()
    is_unsure = error.may_have_arrived and not kind_of(delivery.channel).knows_repeats
    next_try = now + _pause(delivery.attempts, error.retry_after)
    is_late = next_try > delivery.created_at + GIVEN_UP_AFTER
    gives_up = error.is_final or is_unsure or is_late
    said = _said(error, is_unsure, is_late)
    state = State.GIVEN_UP if gives_up else State.WAITING
    if not _mark(delivery, state=state, error=said, next_try_at=next_try, until=None):
        return
    logger.warning(
        "delivery_failed delivery_id=%s gives_up=%s reason=%s", delivery.pk, gives_up, said
    )
    if error.is_gone or (gives_up and _keeps_failing(delivery.channel)):
        stop(delivery.channel, said)


def _said(error: DeliveryError, is_unsure: bool, is_late: bool) -> str:
    said = str(error)
    if is_unsure:
        said += " The edition may have arrived, so it is not sent again."
    elif is_late and not error.is_final:
        said += " Gave up after three days."
    return said[:300]


def _pause(attempts: int, retry_after: int | None) -> timedelta:
    """Four times as long each time; longer where the other side asks for it."""
    times: int = 4 ** min(max(attempts - 1, 0), 6)
    return max(min(FIRST_PAUSE * times, LONGEST_PAUSE), timedelta(seconds=retry_after or 0))


def _keeps_failing(channel: Channel) -> bool:
    ended = channel.deliveries.filter(state__in=[State.SENT, State.GIVEN_UP]).order_by("-pk")
    states = list(ended.values_list("state", flat=True)[:MAX_GIVEN_UP])
    return states == [State.GIVEN_UP] * MAX_GIVEN_UP


def stop(channel: Channel, reason: str) -> None:
    """It carries nothing any more, and says why; what waits to leave by it is given up."""
    active = Channel.objects.filter(pk=channel.pk, state=Channel.State.ACTIVE)
    active.update(state=Channel.State.STOPPED, reason=reason[:300])
    channel.deliveries.filter(state=State.WAITING).update(state=State.GIVEN_UP, error=reason[:300])


def last_deliveries(channels: list[Channel]) -> dict[int, Delivery]:
    """The newest of each, in one query: {channel id: delivery}."""
    of_each = Delivery.objects.filter(channel__in=channels).order_by().values("channel")
    newest = of_each.annotate(newest=Max("pk")).values("newest")
    return {one.channel_id: one for one in Delivery.objects.filter(pk__in=newest)}


def overdue(before: datetime) -> int:
    """How many should have left before that moment, and no worker took them."""
    waiting = Delivery.objects.filter(_MAY_LEAVE, state=State.WAITING)
    return waiting.filter(next_try_at__lt=before).count()
