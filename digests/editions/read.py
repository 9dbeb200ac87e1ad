# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""Find the editions that pages show.

The queries of each page view are not querysets, which Django compiles anew each time.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

from django.core.cache import cache

from accounts.models import User
from ainews_site.infra.db_router import try_to_write
from ainews_site.infra.deferred_writes import PATIENCE
from ainews_site.infra.sqlite_lock import busy_timeout
from digests.editions.schedule import schedule_of
from digests.editions.writing import (
    current_writing,
    request_digest,
    today_of,
    write_or_retry_later,
    write_synchronously,
)
from digests.models import Digest
from feeds.ai.language.complete import is_configured
from feeds.models.narrow import day, fetch, row_maker

EMPTY_FOR = 60
"""Seconds until a page writes an edition without stories again."""
_COLUMNS = [field.attname for field in Digest._meta.concrete_fields]
_NEWEST = (
    f"SELECT {', '.join(_COLUMNS)} FROM digests_digest WHERE user_id {{}}"
    " ORDER BY date DESC LIMIT 1"
)
_NEIGHBOURS = (
    "SELECT max(CASE WHEN date < %s THEN date END), min(CASE WHEN date > %s THEN date END),"
    " count(CASE WHEN date <= %s THEN 1 END) FROM digests_digest WHERE user_id {}"
)


def todays_digest(user: User | None) -> Digest:
    """Return the edition that the digest page shows.

    This is today's edition if the reader's schedule has one today, else the newest. If today's
    was not written yet, it is written now; if that fails, the newest is returned and a worker
    tries again. An edition without stories is written again, because the reader may have opened the
    page before they chose sources. The site's edition is written here only if there is none at all.
    """
    today = today_of(user)
    newest = newest_digest(user)
    if newest is None:
        with busy_timeout(PATIENCE):
            first = write_synchronously(user, today)
        return _request_model_version(user, first)
    comes_today = user is not None and today.weekday() in schedule_of(user).days
    is_written = newest.date >= today and not _may_get_stories(newest)
    if not comes_today or is_written or _is_running(user, today):
        return newest
    written: list[Digest | None] = []
    try_to_write(lambda: written.append(write_or_retry_later(user, today)))
    digest = next(iter(written), None)
    return _request_model_version(user, digest) if digest else newest


def newest_digest(user: User | None) -> Digest | None:
    """The newest edition of a reader, or with None of the site."""
    owner, values = _owner(user.pk if user else None)
    rows = fetch(_NEWEST.format(owner), values)
    return row_maker(Digest, _COLUMNS)(rows[0]) if rows else None


def _owner(user_id: int | None) -> tuple[str, list[Any]]:
    """Return the condition on the column of the owner, and its parameters."""
    return ("IS NULL", []) if user_id is None else ("= %s", [user_id])


def _may_get_stories(digest: Digest) -> bool:
    """True for an edition without stories, at most once in EMPTY_FOR seconds."""
    is_empty = not (digest.content["stories"] or digest.content.get("also"))
    return is_empty and cache.add(f"empty-edition-{digest.pk}", True, EMPTY_FOR)


def _request_model_version(user: User | None, digest: Digest) -> Digest:
    """Request a version by the language model, because pages are written without waiting for it."""
    if is_configured():
        try_to_write(lambda: request_digest(user, digest.date))
    return digest


def _is_running(user: User | None, today: date) -> bool:
    writing = current_writing(user)
    return writing is not None and writing.date == today


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The days of the previous and the next edition, and the number of this one."""

    previous: date | None
    following: date | None
    number: int


def neighbours(digest: Digest) -> Neighbours:
    """Read them by one query, which needs the owner's id only."""
    owner, values = _owner(digest.user_id)
    [(before, after, number)] = fetch(_NEIGHBOURS.format(owner), [digest.date] * 3 + values)
    return Neighbours(day(before), day(after), number)


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the archive: its editions, newest first, and the nearest months that have any."""

    first: date
    editions: list[Digest]
    previous: date | None
    following: date | None


def month_of(user: User | None, year: int, month: int) -> Month:
    first = date(year, month, 1)
    after = date(year + month // 12, month % 12 + 1, 1)
    own = Digest.objects.of(user)
    earlier = own.filter(date__lt=first).order_by("-date").values_list("date", flat=True).first()
    later = own.filter(date__gte=after).order_by("date").values_list("date", flat=True).first()
    return Month(
        first=first,
        editions=list(own.filter(date__gte=first, date__lt=after)),
        previous=earlier.replace(day=1) if earlier else None,
        following=later.replace(day=1) if later else None,
    )
