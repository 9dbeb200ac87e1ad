"""Requests to write editions: workers claim them, retry failures and plan the deliveries."""

import logging
from collections import defaultdict
from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.db_router import is_primary_lost
from ainews_site.infra.enqueue import enqueue_slow
from ainews_site.infra.sqlite_lock import is_locked
from digests.channels.outbox import plan_deliveries
from digests.editions.schedule import schedule_of
from digests.editions.window import LONGEST, reader_today
from digests.editions.write import write_digest
from digests.models import Delivery, Digest, DigestQuerySet, Writing
from feeds.models import Source
from feeds.models.narrow import fetch, row_maker

logger = logging.getLogger(__name__)

CLAIM_DURATION = timedelta(minutes=10)
"""How long a claim is valid without progress: longer than one story can take."""
MAX_MODEL_SECONDS = 300.0
"""Seconds that the model may take for one edition. Remaining stories are summarised
extractively."""
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


def waiting_writings() -> list[int]:
    """Ids of the requests that are due and not claimed; the site's edition first."""
    now = db_clock.exact_now()
    free = Q(until=None) | Q(until__lt=now)
    waiting = Writing.objects.filter(free, next_try_at__lte=now)
    return list(waiting.order_by(F("user").asc(nulls_first=True)).values_list("pk", flat=True))


def process_writing(pk: int) -> bool:
    """Claim a request and write its edition. Return whether it was written.

    Failures are recorded and tried again later.
    """
    writing = _claim(pk)
    if writing is None:
        return False
    try:
        now = db_clock.now()
        # A manual request may be for the edition that is due, which must be delivered too.
        writing.is_due = writing.is_due or _is_due(writing.user, writing.date, now)
        digest = write_digest(
            writing.user,
            writing.date,
            now=now,
            is_due=writing.is_due,
            seconds_for_model=MAX_MODEL_SECONDS,
            on_progress=lambda done, total: _record_progress(writing, done, total),
        )
    except Exception:  # one failure must not stop the other editions
        logger.exception("digest_failed user_id=%s date=%s", writing.user_id, writing.date)
        _record_failure(writing)
        return False
    _finish(writing, digest)
    return True


def _claim(pk: int) -> Writing | None:
    now = db_clock.exact_now()
    own = Writing.objects.filter(pk=pk)
    claimed = own.filter(Q(until=None) | Q(until__lt=now), next_try_at__lte=now).update(
        until=now + CLAIM_DURATION, attempts=F("attempts") + 1, done=0, total=0, error=""
    )
    return own.select_related("user").get() if claimed else None


def _record_progress(writing: Writing, done: int, total: int) -> None:
    _own(writing).update(done=done, total=total, until=db_clock.now() + CLAIM_DURATION)


def _own(writing: Writing) -> models.QuerySet[Writing]:
    """The row, as long as no other worker has claimed it since."""
    return Writing.objects.filter(pk=writing.pk, attempts=writing.attempts)


@transaction.atomic
def _finish(writing: Writing, digest: Digest) -> None:
    if writing.is_due:
        plan_deliveries(digest)
    _own(writing).delete()
    Writing.objects.filter(user=writing.user, date__lt=writing.date).exclude(error="").delete()


def _record_failure(writing: Writing) -> None:
    delay = min(FIRST_DELAY * 2 ** min(max(writing.attempts - 1, 0), 5), MAX_DELAY)
    next_try = db_clock.now() + delay
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
