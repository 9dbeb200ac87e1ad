"""Have editions written: asked for, claimed by one worker, tried again, and then delivered."""

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

logger = logging.getLogger(__name__)

HOLD = timedelta(minutes=10)
"""Longer than one story may take: each sign of progress renews it."""
LONGEST_EDITION = 300.0
"""Seconds for which a model is asked for one edition; what it has not told by then is extracted."""
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=5), timedelta(hours=2)
FAILED = "The edition could not be written. The server log has the details."
KEPT = timedelta(days=2)
Due = tuple[User | None, date]


def ask_for(user: User | None, day: date, *, is_due: bool = False) -> Writing:
    """Have the edition of that day written as soon as a worker is free, again if it is there."""
    now = db_clock.now()
    wanted, is_new = Writing.objects.get_or_create(
        user=user, date=day, defaults={"is_due": is_due, "next_try_at": now}
    )
    # By hand a failed one is tried at once; by schedule it waits until its time.
    changes = {"is_due": True} if is_due else {"next_try_at": now}
    if not is_new and any(getattr(wanted, name) != value for name, value in changes.items()):
        Writing.objects.filter(pk=wanted.pk, until=None).update(**changes)
    return wanted


def request_digest(user: User | None, day: date) -> None:
    """Have an edition written now, by a worker."""
    ask_for(user, day)
    enqueue_slow("digests.tasks.write_waiting")


def ask_for_due(now: datetime) -> int:
    """Those whose hour has come since they were written last; how many."""
    Writing.objects.filter(date__lt=(now - KEPT).date(), next_try_at__lt=now - KEPT).delete()
    due = _due_editions(now)
    for user, day in due:
        ask_for(user, day, is_due=True)
    return len(due)


def _due_editions(now: datetime) -> list[Due]:
    """In a constant number of queries. One written before its hour was a preview; one without
    news is written again, as a new reader's first feeds come in after it."""
    known = _known_until(Digest.objects.all(), now)
    due: list[Due] = []
    for user in _with_editions():
        schedule = schedule_of(user)
        day = schedule.last_due(now)
        own = known.get(user.pk if user else None, {})
        if day and _lacks(user, day, schedule.moment(day), own):
            due.append((user, day))
    return due


def _is_due(user: User | None, day: date, now: datetime) -> bool:
    """Whether the hour of that edition has come, and nothing that was written since is it."""
    schedule = schedule_of(user)
    if schedule.last_due(now) != day or (user and not user.subscriptions.exists()):
        return False
    known = _known_until(Digest.objects.of(user), now).get(user.pk if user else None, {})
    return _lacks(user, day, schedule.moment(day), known)


def _lacks(user: User | None, day: date, moment: datetime, known: dict[date, datetime]) -> bool:
    """A newcomer's first is that of their next hour, and none follows what is newer."""
    if (user and user.date_joined > moment) or any(other > day for other in known):
        return False
    return day not in known or known[day] < moment


def _with_editions() -> Iterable[User | None]:
    everyone: list[User | None] = [None] if Source.objects.filter(is_public=True).exists() else []
    readers = User.objects.filter(is_active=True, subscriptions__isnull=False).distinct()
    return [*everyone, *readers.order_by("pk")]


def _known_until(editions: DigestQuerySet, now: datetime) -> dict[int | None, dict[date, datetime]]:
    """By reader and day, until when the edition knows of the news. One without any is passed
    over until it leaves: what it told later would be taken for told, and reach no channel."""
    recent = editions.filter(date__gte=(now - LONGEST - timedelta(days=1)).date())
    has_left = Exists(Delivery.objects.filter(digest=OuterRef("pk")))
    recent = recent.exclude(~has_left, content__item_count=0)
    known: defaultdict[int | None, dict[date, datetime]] = defaultdict(dict)
    for user, day, ends, created in recent.values_list("user_id", "date", "ends_at", "created_at"):
        known[user][day] = ends or created
    return known


def waiting_writings() -> list[int]:
    """Those that a worker should take now, everyone's first."""
    now = db_clock.exact_now()
    free = Q(until=None) | Q(until__lt=now)
    waiting = Writing.objects.filter(free, next_try_at__lte=now)
    return list(waiting.order_by(F("user").asc(nulls_first=True)).values_list("pk", flat=True))


def work_off(pk: int) -> bool:
    """Write one if nobody else does; whether it was written. What fails is tried again later."""
    writing = _claim(pk)
    if writing is None:
        return False
    try:
        now = db_clock.now()
        # What was asked for by hand may be what is due: nothing else would be delivered then.
        writing.is_due = writing.is_due or _is_due(writing.user, writing.date, now)
        digest = write_digest(
            writing.user,
            writing.date,
            now=now,
            is_due=writing.is_due,
            seconds_for_model=LONGEST_EDITION,
            on_progress=lambda done, total: _note_progress(writing, done, total),
        )
    except Exception:  # one reader's edition must not keep the others from theirs
        logger.exception("digest_failed user_id=%s date=%s", writing.user_id, writing.date)
        _failed(writing)
        return False
    _finish(writing, digest)
    return True


def _claim(pk: int) -> Writing | None:
    now = db_clock.exact_now()
    own = Writing.objects.filter(pk=pk)
    claimed = own.filter(Q(until=None) | Q(until__lt=now), next_try_at__lte=now).update(
        until=now + HOLD, attempts=F("attempts") + 1, done=0, total=0, error=""
    )
    return own.select_related("user").get() if claimed else None


def _note_progress(writing: Writing, done: int, total: int) -> None:
    _own(writing).update(done=done, total=total, until=db_clock.now() + HOLD)


def _own(writing: Writing) -> models.QuerySet[Writing]:
    """As long as nobody took it over."""
    return Writing.objects.filter(pk=writing.pk, attempts=writing.attempts)


@transaction.atomic
def _finish(writing: Writing, digest: Digest) -> None:
    if writing.is_due:
        plan_deliveries(digest)
    _own(writing).delete()
    Writing.objects.filter(user=writing.user, date__lt=writing.date).exclude(error="").delete()


def _failed(writing: Writing) -> None:
    pause = min(FIRST_PAUSE * 2 ** min(max(writing.attempts - 1, 0), 5), LONGEST_PAUSE)
    next_try = db_clock.now() + pause
    _own(writing).update(error=FAILED, next_try_at=next_try, until=None)


def write_at_once(user: User | None, day: date) -> Digest:
    """For who waits for it. One that is due already a worker writes again, and delivers."""
    now = timezone.now()
    is_due = _is_due(user, day, now)
    digest = write_digest(user, day, now=now)
    if is_due:
        ask_for(user, day, is_due=True)
    return digest


def write_now(user: User | None, day: date) -> Digest | None:
    """For a page that waits for it; None where it fails, which is noted and tried again."""
    try:
        return write_at_once(user, day)
    except Exception as error:
        if is_primary_lost(error) or is_locked(error):
            raise
        logger.exception("digest_failed user_id=%s date=%s", user and user.pk, day)
        _failed(ask_for(user, day))
        return None


def current_writing(user: User | None) -> Writing | None:
    """The writing that the reader's page tells of: the newest that waits, goes on or failed."""
    return Writing.objects.filter(user=user).order_by("-date").first()


def today_of(user: User | None) -> date:
    """By this machine's clock, as pages are read without the primary too."""
    return reader_today(schedule_of(user).zone_name, timezone.now())
