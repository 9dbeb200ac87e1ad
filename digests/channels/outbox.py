"""The outbox of deliveries: plan them, claim and send them, and record the results.

A worker claims a delivery with a conditional UPDATE (state CLAIMED), and sets the state SENDING
just before it sends. If the worker dies before that, its claim expires and another worker
takes over. If it dies after that, nobody knows whether the edition arrived: it is repeated only
for receivers that detect repeats by their id, so that people do not get an edition twice.
"""

import logging
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Max, Q

from ainews_site.infra import db_clock
from ainews_site.infra.metrics import DELIVERIES
from ainews_site.infra.stopping import TaskStopped, is_stopping
from ainews_site.observe import tracing
from digests.channels import kind_of, kinds_detecting_repeats, pushed_kinds
from digests.channels.errors import DeliveryError
from digests.channels.kind import Send
from digests.models import Channel, Delivery, Digest

logger = logging.getLogger(__name__)

State = Delivery.State
CLAIM_DURATION = timedelta(minutes=5)
"""How long a claim is valid: much longer than one delivery can take."""
MAX_CONCURRENT = 16
"""Deliveries that are sent concurrently."""
FIRST_DELAY, MAX_DELAY = timedelta(minutes=1), timedelta(hours=6)
GIVEN_UP_AFTER = timedelta(days=3)
MAX_GIVEN_UP = 3
"""A channel is disabled after so many failed deliveries in a row."""
_DELIVERABLE = Q(channel__state=Channel.State.ACTIVE, channel__user__is_active=True)
MAY_HAVE_ARRIVED = (
    "The worker stopped while sending. The edition may have arrived, so it is not sent again."
)


def plan_deliveries(*digests: Digest) -> int:
    """Create a delivery for each active channel of these editions, unless it has one already.

    Return the number of active channels. The caller must have opened a transaction.
    """
    now = db_clock.now()
    planned = [
        Delivery(channel=channel, digest=digest, created_at=now, next_try_at=now)
        for digest, channels in _active_channels(digests)
        for channel in channels
    ]
    Delivery.objects.bulk_create(planned, ignore_conflicts=True)
    return len(planned)


def _active_channels(digests: Sequence[Digest]) -> list[tuple[Digest, list[Channel]]]:
    """The active channels of each edition, by one query."""
    wanted = Q(is_global=False, user__in={d.user_id for d in digests if not d.is_global})
    if any(digest.is_global for digest in digests):
        wanted |= Q(is_global=True)
    active = Channel.objects.filter(state=Channel.State.ACTIVE, user__is_active=True)
    channels: defaultdict[int | None, list[Channel]] = defaultdict(list)
    for channel in active.filter(wanted, kind__in=pushed_kinds()):
        channels[None if channel.is_global else channel.user_id].append(channel)
    return [(digest, channels[digest.user_id]) for digest in digests]


def due_deliveries() -> list[int]:
    """Ids of the deliveries that are due, or whose claim has expired, oldest first."""
    now = db_clock.exact_now()
    waiting = Q(state=State.WAITING, next_try_at__lte=now)
    expired = Q(state__in=[State.CLAIMED, State.SENDING], until__lt=now)
    due = Delivery.objects.filter(_DELIVERABLE, waiting | expired)
    return list(due.order_by("next_try_at").values_list("pk", flat=True))


def deliver(pks: Iterable[int], seconds: float) -> int:
    """Send the deliveries that are due and not claimed, until `seconds` have passed or the process
    is asked to stop.

    Return how many succeeded. Messages are sent concurrently, so that a server that does not
    answer delays no other delivery. Only the calling thread uses the database.
    """
    until, sent = time.monotonic() + seconds, 0
    running: dict[Future[None], Delivery] = {}
    with ThreadPoolExecutor(MAX_CONCURRENT, "deliver") as pool:
        try:
            for pk in pks:
                if time.monotonic() > until or is_stopping():
                    break
                if (delivery := _claim(pk)) and (send := _prepare(delivery)):
                    running[pool.submit(tracing.carrying(send))] = delivery
                while len(running) >= MAX_CONCURRENT:
                    sent += _collect_results(running)
            while running:
                sent += _collect_results(running)
        except TaskStopped:  # what is being sent may arrive, so its result must be recorded
            while running:
                _collect_results(running)
            raise
    return sent


def _prepare(delivery: Delivery) -> Send | None:
    """Prepare a delivery and set its state to SENDING. None if that failed."""
    try:
        kind = kind_of(delivery.channel)
        send = kind.prepare(delivery.channel, delivery.digest, f"digest-{delivery.pk}")
    except Exception as error:  # noqa: BLE001 - see _record_crash
        _record_crash(delivery, error)
        return None
    return send if _update(delivery, state=State.SENDING) else None


def _collect_results(running: dict[Future[None], Delivery]) -> int:
    """Wait until at least one message is sent, and record results. Return how many succeeded."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    return sum(_record_result(running.pop(future), future.exception()) for future in done)


def _record_result(delivery: Delivery, error: BaseException | None) -> bool:
    if error is not None:
        _record_crash(delivery, error)
        return False
    _update(delivery, state=State.SENT, sent_at=db_clock.now(), error="", until=None)
    DELIVERIES.add(1, delivery.channel.kind, "sent")
    logger.info("digest_delivered delivery_id=%s kind=%s", delivery.pk, delivery.channel.kind)
    return True


def _record_crash(delivery: Delivery, error: BaseException) -> None:
    """Record a failure of any kind: an error in one channel must not stop the others."""
    if not isinstance(error, DeliveryError):
        logger.error("delivery_crashed delivery_id=%s", delivery.pk, exc_info=error)
        error = DeliveryError("Internal error. The server log has the details.")
    _record_failure(delivery, error)


def _claim(pk: int) -> Delivery | None:
    """Claim a delivery, or give it up if its sender died and it must not be repeated."""
    now = db_clock.exact_now()
    own, is_expired = Delivery.objects.filter(pk=pk), Q(until__lt=now)
    # People cannot tell a second copy from the first.
    may_repeat = Q(channel__kind__in=kinds_detecting_repeats())
    sent = own.filter(is_expired, state=State.SENDING)
    sent.exclude(may_repeat).update(state=State.GIVEN_UP, error=MAY_HAVE_ARRIVED, until=None)
    interrupted = Q(state=State.CLAIMED) | Q(may_repeat, state=State.SENDING)
    free = Q(state=State.WAITING, next_try_at__lte=now) | (interrupted & is_expired)
    claimed = own.filter(free).update(
        state=State.CLAIMED,
        until=now + CLAIM_DURATION,
        token=F("token") + 1,
        attempts=F("attempts") + 1,
    )
    return own.select_related("channel__user", "digest").get() if claimed else None


def _update(delivery: Delivery, **values: object) -> bool:
    """Update the delivery. Return False if another worker has claimed it meanwhile."""
    return Delivery.objects.filter(pk=delivery.pk, token=delivery.token).update(**values) == 1


@transaction.atomic
def _record_failure(delivery: Delivery, error: DeliveryError) -> None:
    now = db_clock.now()
    is_unsure = error.may_have_arrived and not kind_of(delivery.channel).detects_repeats
    next_try = now + _retry_delay(delivery.attempts, error.retry_after)
    is_late = next_try > delivery.created_at + GIVEN_UP_AFTER
    gives_up = error.is_final or is_unsure or is_late
    message = _failure_message(error, is_unsure, is_late)
    state = State.GIVEN_UP if gives_up else State.WAITING
    if not _update(delivery, state=state, error=message, next_try_at=next_try, until=None):
        return
    DELIVERIES.add(1, delivery.channel.kind, "given_up" if gives_up else "retry")
    logger.warning(
        "delivery_failed delivery_id=%s gives_up=%s reason=%s", delivery.pk, gives_up, message
    )
    if error.is_gone or (gives_up and _keeps_failing(delivery.channel)):
        disable(delivery.channel, message)


def _failure_message(error: DeliveryError, is_unsure: bool, is_late: bool) -> str:
    message = str(error)
    if is_unsure:
        message += " The edition may have arrived, so it is not sent again."
    elif is_late and not error.is_final:
        message += " Gave up after three days."
    return message[:300]


def _retry_delay(attempts: int, retry_after: int | None) -> timedelta:
    """The delay before the next attempt: four times longer each time, or as the receiver asks."""
    times: int = 4 ** min(max(attempts - 1, 0), 6)
    return max(min(FIRST_DELAY * times, MAX_DELAY), timedelta(seconds=retry_after or 0))


def _keeps_failing(channel: Channel) -> bool:
    ended = channel.deliveries.filter(state__in=[State.SENT, State.GIVEN_UP]).order_by("-pk")
    states = list(ended.values_list("state", flat=True)[:MAX_GIVEN_UP])
    return states == [State.GIVEN_UP] * MAX_GIVEN_UP


def disable(channel: Channel, reason: str) -> None:
    """Disable a channel for `reason`, and give up its waiting deliveries."""
    active = Channel.objects.filter(pk=channel.pk, state=Channel.State.ACTIVE)
    active.update(state=Channel.State.DISABLED, reason=reason[:300])
    channel.deliveries.filter(state=State.WAITING).update(state=State.GIVEN_UP, error=reason[:300])


def last_deliveries(channels: list[Channel]) -> dict[int, Delivery]:
    """The newest delivery of each channel, in one query: {channel id: delivery}."""
    by_channel = Delivery.objects.filter(channel__in=channels).order_by().values("channel")
    newest = by_channel.annotate(newest=Max("pk")).values("newest")
    deliveries = Delivery.objects.filter(pk__in=newest)
    return {delivery.channel_id: delivery for delivery in deliveries}


def count_overdue(before: datetime) -> int:
    """Count the deliveries that were due before that moment and that no worker has claimed."""
    waiting = Delivery.objects.filter(_DELIVERABLE, state=State.WAITING)
    return waiting.filter(next_try_at__lt=before).count()
