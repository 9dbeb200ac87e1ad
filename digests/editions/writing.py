"""Requests to write editions: workers claim them, retry failures and plan the deliveries."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.db_router import is_primary_lost
from ainews_site.infra.enqueue import enqueue_slow
from ainews_site.infra.metrics import DIGESTS
from ainews_site.infra.sqlite_lock import is_locked
from ainews_site.infra.stopping import TaskStopped, is_stopping
from digests.channels.outbox import plan_deliveries
from digests.editions.plan import Request
from digests.editions.schedule import schedule_of
from digests.editions.window import LONGEST, reader_today
from digests.editions.write import write_digest, write_digests
from digests.models import Delivery, Digest, DigestQuerySet, Writing
from feeds.ai.language.complete import is_configured
from feeds.models import Source
from feeds.models.narrow import fetch, row_maker

logger = logging.getLogger(__name__)

CLAIM_DURATION = timedelta(minutes=10)
"""How long a claim is valid without progress: longer than one story can take."""
MAX_MODEL_SECONDS = 300.0
"""Seconds that the model may take for one edition. Remaining stories are summarised
extractively."""
READERS_AT_ONCE = 50
"""Editions that are written together. They share queries and a transaction, unless they have so
many items that they are divided. A worker that dies delays them all by CLAIM_DURATION."""
FIRST_DELAY, MAX_DELAY = timedelta(minutes=5), timedelta(hours=2)
FAILED = "The edition could not be written. The server log has the details."
MAX_AGE = timedelta(days=2)
Due = tuple[User | None, date]
_COLUMNS = [field.attname for field in Writing._meta.concrete_fields]
_NEWEST = (
    f"SELECT {', '.join(_COLUMNS)} FROM digests_writing WHERE user_id {{}}"  # noqa: S608 - no input
    " ORDER BY date DESC LIMIT 1"
)


def request_writing(user: User | None, day: date, *, is_due: bool = False) -> Writing:
    """Create a request to write the edition of `day`, or update an existing request.

    An existing edition is written again.
    """
    now = db_clock.now()
    writing, is_new = Writing.objects.get_or_create(
        user=user, date=day, defaults={"is_due": is_due, "next_try_at": now}
    )
    # A manual request is tried at once; a scheduled one waits for the next attempt.
    changes = {"is_due": True} if is_due else {"next_try_at": now}
    if not is_new and any(getattr(writing, name) != value for name, value in changes.items()):
        Writing.objects.filter(pk=writing.pk, until=None).update(**changes)
    return writing


def request_digest(user: User | None, day: date) -> None:
    """Request an edition, and wake a worker that writes it now."""
    request_writing(user, day)
    enqueue_slow("digests.tasks.write_waiting")


def request_due(now: datetime) -> int:
    """Request all editions that are due. Return how many."""
    Writing.objects.filter(date__lt=(now - MAX_AGE).date(), next_try_at__lt=now - MAX_AGE).delete()
    due = _due_editions(now)
    for user, day in due:
        request_writing(user, day, is_due=True)
    return len(due)


def _due_editions(now: datetime) -> list[Due]:
    """Find all due editions in a constant number of queries.

    Editions that were written before their hour, or without any items, are due again.
    """
    known = _known_until(Digest.objects.all(), now)
    due: list[Due] = []
    for user in _owners():
        schedule = schedule_of(user)
        day = schedule.last_due(now)
        own = known.get(user.pk if user else None, {})
        if day and _is_missing(user, day, schedule.due_at(day), own):
            due.append((user, day))
    return due


def _is_due(user: User | None, day: date, now: datetime) -> bool:
    """Whether the edition of `day` is due and was not written since then."""
    schedule = schedule_of(user)
    if schedule.last_due(now) != day or (user and not user.subscriptions.exists()):
        return False
    known = _known_until(Digest.objects.of(user), now).get(user.pk if user else None, {})
    return _is_missing(user, day, schedule.due_at(day), known)


def _is_missing(
    user: User | None, day: date, due_at: datetime, known: dict[date, datetime]
) -> bool:
    """Whether the edition due at `due_at` is missing. A new reader's first edition is the next
    one, and older days are not written after newer ones."""
    if (user and user.date_joined > due_at) or any(other > day for other in known):
        return False
    return day not in known or known[day] < due_at


def _owners() -> Iterable[User | None]:
    everyone: list[User | None] = [None] if Source.objects.filter(is_public=True).exists() else []
    readers = User.objects.filter(is_active=True, subscriptions__isnull=False).distinct()
    return [*everyone, *readers.order_by("pk")]


def _known_until(editions: DigestQuerySet, now: datetime) -> dict[int | None, dict[date, datetime]]:
    """{user id: {day: end of the time that the edition covers}}.

    Empty editions that were not delivered are left out, so that they are written again when items
    arrive. Otherwise those items would be delivered to no channel.
    """
    recent = editions.filter(date__gte=(now - LONGEST - timedelta(days=1)).date())
    is_delivered = Exists(Delivery.objects.filter(digest=OuterRef("pk")))
    recent = recent.exclude(~is_delivered, content__item_count=0)
    known: defaultdict[int | None, dict[date, datetime]] = defaultdict(dict)
    for user, day, ends, created in recent.values_list("user_id", "date", "ends_at", "created_at"):
        known[user][day] = ends or created
    return known


def waiting_writings() -> list[list[int]]:
    """Ids of the requests that are due and not claimed, in batches that are written together; the
    site's edition first.

    A request that was tried before is on its own, because it may fail again. So is each request
    if a language model takes its time for each.
    """
    now = db_clock.exact_now()
    free = Q(until=None) | Q(until__lt=now)
    waiting = Writing.objects.filter(free, next_try_at__lte=now)
    waiting = waiting.order_by(F("user").asc(nulls_first=True), "date")
    most = 1 if is_configured() else READERS_AT_ONCE
    batches: list[list[int]] = []
    readers: set[int | None] = set()
    for pk, user, attempts in waiting.values_list("pk", "user_id", "attempts"):
        # Two editions of a reader depend on each other.
        if attempts or not readers or user in readers or len(batches[-1]) >= most:
            batches.append([])
            readers = set()
        batches[-1].append(pk)
        readers |= set() if attempts else {user}
    return batches


def process_writings(pks: Sequence[int]) -> int:
    """Claim requests and write their editions. Return how many were written.

    If that fails, each is written on its own. Failures are recorded and tried again later. If the
    process is stopped, the claims are given back.
    """
    writings = _claim(pks)
    try:
        return _write_claimed(writings)
    except TaskStopped:
        for writing in writings:
            _own(writing).update(until=None)
        raise


def _write_claimed(writings: Sequence[Writing]) -> int:
    if len(writings) > 1:
        try:
            _write(writings)
        except Exception:
            logger.exception("digest_batch_failed count=%s", len(writings))
        else:
            return len(writings)
    return sum(map(_write_alone, writings))


def _write_alone(writing: Writing) -> bool:
    try:
        _write([writing])
    except Exception:  # one failure must not stop the other editions
        logger.exception("digest_failed user_id=%s date=%s", writing.user_id, writing.date)
        _record_failure(writing)
        return False
    return True


def _write(writings: Sequence[Writing]) -> None:
    now = db_clock.now()
    for writing in writings:
        # A manual request may be for the edition that is due, which must be delivered too.
        writing.is_due = writing.is_due or _is_due(writing.user, writing.date, now)
    digests = write_digests(
        [Request(writing.user, writing.date, writing.is_due) for writing in writings],
        now,
        seconds_for_model=MAX_MODEL_SECONDS,
        on_progress=lambda done, total: _record_progress(writings[0], done, total),
    )
    _finish(list(zip(writings, digests, strict=True)))
    DIGESTS.add(len(writings), "written")


@transaction.atomic
def _claim(pks: Sequence[int]) -> list[Writing]:
    """Claim those of the requests that are free, and return them."""
    now = db_clock.exact_now()
    free = Writing.objects.filter(
        Q(until=None) | Q(until__lt=now), pk__in=pks, next_try_at__lte=now
    )
    locked = free.select_for_update(skip_locked=True, of=("self",))
    writings = list(locked.select_related("user").order_by(F("user").asc(nulls_first=True), "date"))
    values = {"until": now + CLAIM_DURATION, "done": 0, "total": 0, "error": ""}
    Writing.objects.filter(pk__in=[writing.pk for writing in writings]).update(
        attempts=F("attempts") + 1, **values
    )
    for writing in writings:
        writing.attempts += 1
        for name, value in values.items():
            setattr(writing, name, value)
    return writings


def _record_progress(writing: Writing, done: int, total: int) -> None:
    """Record the progress with a language model. Raises TaskStopped if the process shall stop.

    The stories that a language model has summarised are stored, so the next attempt does not repeat
    them.
    """
    if is_stopping():
        raise TaskStopped
    _own(writing).update(done=done, total=total, until=db_clock.now() + CLAIM_DURATION)


def _own(writing: Writing) -> models.QuerySet[Writing]:
    """The row, as long as no other worker has claimed it since."""
    return Writing.objects.filter(pk=writing.pk, attempts=writing.attempts)


@transaction.atomic
def _finish(written: Sequence[tuple[Writing, Digest]]) -> None:
    """Plan the deliveries, and delete the requests with the failed ones of earlier days."""
    if due := [digest for writing, digest in written if writing.is_due]:
        plan_deliveries(*due)
    done, failed = Q(), Q()
    for writing, _ in written:
        done |= Q(pk=writing.pk, attempts=writing.attempts)
        failed |= Q(user=writing.user_id, date__lt=writing.date)
    Writing.objects.filter(done).delete()
    Writing.objects.filter(failed).exclude(error="").delete()


def _record_failure(writing: Writing) -> None:
    delay = min(FIRST_DELAY * 2 ** min(max(writing.attempts - 1, 0), 5), MAX_DELAY)
    next_try = db_clock.now() + delay
    DIGESTS.add(1, "failed")
    _own(writing).update(error=FAILED, next_try_at=next_try, until=None)


def write_synchronously(user: User | None, day: date) -> Digest:
    """Write an edition in this process, without the language model. If it is due, also request
    it, so that a worker writes it again and delivers it."""
    now = timezone.now()
    is_due = _is_due(user, day, now)
    digest = write_digest(user, day, now=now)
    if is_due:
        request_writing(user, day, is_due=True)
    return digest


def write_or_retry_later(user: User | None, day: date) -> Digest | None:
    """Write an edition for a page. If that fails, record a request for a retry, return None."""
    try:
        return write_synchronously(user, day)
    except Exception as error:
        if is_primary_lost(error) or is_locked(error):
            raise
        logger.exception("digest_failed user_id=%s date=%s", user and user.pk, day)
        _record_failure(request_writing(user, day))
        return None


def current_writing(user: User | None) -> Writing | None:
    """The newest request of a reader, or with None of the site, which may be running or failed."""
    owner, values = ("= %s", [user.pk]) if user else ("IS NULL", [])
    rows = fetch(_NEWEST.format(owner), values)
    return row_maker(Writing, _COLUMNS)(rows[0]) if rows else None


def today_of(user: User | None) -> date:
    """The current day of a reader. Uses the local clock, because the primary may be down."""
    return reader_today(schedule_of(user).zone_name, timezone.now())
