"""Turns the response of one fetch into stored items and new column values of its source."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from django.db import connection

from feeds.core.errors import FeedError
from feeds.core.ids import lowest_id
from feeds.ingest.clean.entries import CleanFeed, canonical_url, clean_feed, plain_title
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from feeds.ingest.lease import is_held
from feeds.ingest.move import adopt_address
from feeds.ingest.new_rows import NewRows
from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.feed import left_out, parse_feed
from feeds.ingest.parse.types import ParsedFeed
from feeds.ingest.schedule import PollHints, judge_move, next_poll, next_try
from feeds.ingest.store import Stored, store_entries
from feeds.models import Source

logger = logging.getLogger(__name__)

UNCONDITIONAL_AFTER = timedelta(hours=12)
"""How often to request the whole document, because some servers answer 304 for ever."""
GONE = 410
WEEK = timedelta(days=7)
CRASHED = "The feed could not be saved and will be retried. The server log has the reason."


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of polling one source.

    `error` and `note` are sentences for readers. `size` is in bytes after decompression. `crashed`
    means that our own code failed, `unreachable` that there was no connection.
    """

    source: Source
    status: int = 0
    size: int = 0
    milliseconds: int = 0
    stored: Stored = field(default_factory=Stored)
    error: str = ""
    note: str = ""
    crashed: bool = False
    unreachable: bool = False

    @property
    def is_unchanged(self) -> bool:
        return not self.error and not self.stored.new_ids and not self.stored.updated_ids


@dataclass(frozen=True, slots=True)
class Prepared:
    """A parsed response that is to be stored.

    `feed` and `clean` are None if there is nothing to store. `changes` are columns of the source,
    to which `finish` adds others.
    """

    source: Source
    result: FetchResult
    outcome: Outcome
    changes: dict[str, Any]
    feed: ParsedFeed | None = None
    clean: CleanFeed | None = None

    @property
    def entries(self) -> int:
        return len(self.clean.entries) if self.clean else 0


def request_for(source: Source, now: datetime) -> FetchRequest:
    """Return a request that is conditional, unless the last full fetch is too long ago."""
    full = source.last_full_fetch_at
    if full is None or now - full >= UNCONDITIONAL_AFTER:
        return FetchRequest(source.pk, source.url)
    return FetchRequest(source.pk, source.url, source.etag, source.last_modified)


def prepare(source: Source, result: FetchResult, now: datetime) -> Prepared:
    """Parse and clean one response. Does not use the database."""
    if result.error:
        return _failed(source, result, result.error, now)
    if result.not_modified:
        return _nothing_new(source, result)
    digest = blake2b(result.body, digest_size=32).hexdigest()
    changes = {"body_hash": digest, "last_full_fetch_at": now}
    if digest == source.body_hash:
        return _nothing_new(source, result, changes)
    budget = Budget()
    try:
        feed = parse_feed(result.body, result.content_type, result.final_url, budget)
        clean = clean_feed(
            feed, result.final_url, trusts_guid=source.trusts_guid, now=now, budget=budget
        )
    except FeedError as error:
        return _failed(source, result, str(error), now)
    outcome = replace(_outcome(source, result), note=left_out(feed))
    result = replace(result, body=b"")
    return Prepared(source, result, outcome, changes, feed, clean)


def finish(
    prepared: Prepared, now: datetime, rows: NewRows | None = None
) -> tuple[Outcome, dict[str, Any]]:
    """Store a prepared response. Returns the outcome and the columns of the source to update.

    Without `rows`, the response is committed in chunks, each of which bumps the revision. With
    `rows`, the caller has a transaction for several responses. It inserts the rows and bumps the
    revision at its end.
    """
    source, result = prepared.source, prepared.result
    if prepared.outcome.error:
        return prepared.outcome, prepared.changes
    if prepared.feed is None or prepared.clean is None:
        return prepared.outcome, _unchanged(source, result, now, rows) | prepared.changes
    stored, changes = _store(source, result, prepared.feed, prepared.clean, now, rows)
    return replace(prepared.outcome, stored=stored), changes | prepared.changes


def _outcome(source: Source, result: FetchResult, stored: Stored | None = None) -> Outcome:
    return Outcome(source, result.status, len(result.body), result.milliseconds, stored or Stored())


def _nothing_new(
    source: Source, result: FetchResult, changes: dict[str, Any] | None = None
) -> Prepared:
    outcome = _outcome(source, result)
    return Prepared(source, replace(result, body=b""), outcome, changes or {})


def _failed(source: Source, result: FetchResult, error: str, now: datetime) -> Prepared:
    outcome = replace(_outcome(source, result), error=error, unreachable=result.unreachable)
    result = replace(result, body=b"")
    return Prepared(source, result, outcome, _failure(source, result, error, now))


def crashed(source: Source, result: FetchResult, now: datetime) -> Prepared:
    """Return the failure of a source whose response made our own code fail."""
    failed = _failed(source, result, CRASHED, now)
    return replace(failed, outcome=replace(failed.outcome, crashed=True))


def _failure(source: Source, result: FetchResult, error: str, now: datetime) -> dict[str, Any]:
    since = source.failing_since or now
    failures = source.failures + 1
    due = next_try(
        now,
        failures=failures,
        status=result.status,
        failing_since=since,
        hints=PollHints(retry_after=result.retry_after),
    )
    changes = {
        "last_fetched_at": now,
        "failures": failures,
        "failing_since": since,
        "error": error,
        **due_at(due, now),
    }
    return changes | ({"status": Source.Status.GONE} if result.status == GONE else {})


def due_at(due: datetime, now: datetime) -> dict[str, Any]:
    """Return the columns of a source for a poll that is due at `due`."""
    return {"next_poll_at": due, "interval": max(int((due - now).total_seconds()), 0)}


def _success(
    source: Source,
    result: FetchResult,
    now: datetime,
    rate: float,
    hints: PollHints,
    rows: NewRows | None,
) -> dict[str, Any]:
    """Return the columns of a source after a success. A permanent redirect may be adopted.

    Adopting may move items, so `rows` are inserted before.
    """
    move = judge_move(
        result.permanent_url, moved_to=source.moved_to, moved_since=source.moved_since, now=now
    )
    changes: dict[str, Any] = {
        "last_fetched_at": now,
        "last_succeeded_at": now,
        "items_per_day": rate,
        "failures": 0,
        "failing_since": None,
        "error": "",
        "moved_to": move.moved_to,
        "moved_since": move.moved_since,
        **due_at(next_poll(now, items_per_day=rate, hints=hints), now),
    }
    if move.adopt and is_held(source):
        if rows is not None:
            rows.insert()
        changes |= _adopt(source, move.moved_to)
    return changes


def _adopt(source: Source, url: str) -> dict[str, Any]:
    """Move the source to `url`. Returns its columns about moves.

    A source that was merged into another one keeps `moved_to`.
    """
    pk = source.pk
    survivor = adopt_address(source, url)
    logger.info("source_moved source_id=%s survivor_id=%s", pk, survivor.pk)
    return {"moved_to": "" if survivor.pk == pk else url, "moved_since": None}


def _unchanged(
    source: Source, result: FetchResult, now: datetime, rows: NewRows | None
) -> dict[str, Any]:
    recent = source.last_new_at is not None and now - source.last_new_at < WEEK
    rate = source.items_per_day if recent else 0.0
    hints = PollHints(max_age=result.max_age, retry_after=result.retry_after)
    changes = _success(source, result, now, rate, hints, rows)
    return changes | _validators(result)


def _validators(result: FetchResult) -> dict[str, Any]:
    """Return the validators to store.

    A 304 may bring new validators or none (RFC 9111, 4.3.4); a 200 replaces both.
    """
    validators = {"etag": result.etag, "last_modified": result.last_modified}
    return {k: v for k, v in validators.items() if v} if result.not_modified else validators


def _store(
    source: Source,
    result: FetchResult,
    feed: ParsedFeed,
    clean: CleanFeed,
    now: datetime,
    rows: NewRows | None,
) -> tuple[Stored, dict[str, Any]]:
    stored = store_entries(
        source.pk,
        clean.entries,
        now=now,
        topics=source.topics,
        language=source.language,
        is_first=source.last_succeeded_at is None,
        rows=rows,
    )
    rate = _rate(source, now, () if rows is None else stored.new_ids)
    changes = _describe(source, result, feed, clean)
    changes |= _success(source, result, now, rate, _hints(feed, result), rows)
    changes |= _validators(result)
    if stored.new_ids:
        changes["last_new_at"] = now
    return stored, changes


def _rate(source: Source, now: datetime, pending: Sequence[int]) -> float:
    """Return the number of items a day over the last week.

    `pending` are ids of items that are still to be inserted.
    """
    lowest = lowest_id(now - WEEK)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM feeds_item WHERE source_id = %s AND id >= %s",
            [source.pk, lowest],
        )
        (count,) = cursor.fetchone()
    return float(count + sum(pk >= lowest for pk in pending)) / 7


def _hints(feed: ParsedFeed, result: FetchResult) -> PollHints:
    return PollHints(
        ttl=feed.ttl,
        max_age=result.max_age,
        retry_after=result.retry_after,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
    )


def _describe(
    source: Source, result: FetchResult, feed: ParsedFeed, clean: CleanFeed
) -> dict[str, Any]:
    """Return the columns that describe the feed. Texts that an administrator set are kept."""
    texts = {
        "title": feed.title[:300],
        "site_url": canonical_url(feed.site_url, result.final_url)[:2048],
        "description": plain_title(feed.description)[:2000],
        "language": clean.entries[0].language if clean.entries else "",
    }
    blank = {name: value for name, value in texts.items() if value and not getattr(source, name)}
    return blank | {
        "kind": feed.kind[:10],
        "complaint": clean.complaint,
        "trusts_guid": clean.trusts_guid,
    }
