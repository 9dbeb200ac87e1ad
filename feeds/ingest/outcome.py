"""What one answer comes to: what is stored of it, and what its source is told."""

import logging
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any

from feeds.core.errors import FeedError
from feeds.core.ids import lowest_id
from feeds.ingest.clean.entries import CleanFeed, canonical_url, clean_feed, plain_title
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from feeds.ingest.lease import is_held
from feeds.ingest.move import adopt_address
from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.feed import left_out, parse_feed
from feeds.ingest.parse.types import ParsedFeed
from feeds.ingest.schedule import Asked, judge_move, next_poll, next_try
from feeds.ingest.store import Stored, store_entries
from feeds.models import Item, Source

logger = logging.getLogger(__name__)

UNCONDITIONAL_AFTER = timedelta(hours=12)
"""Some servers answer 304 for ever; so often we ask for the whole document."""
GONE = 410
WEEK = timedelta(days=7)
CRASHED = "The feed could not be saved and will be retried. The server log has the reason."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one poll of one source came to. `error` and `note` are in words; `crashed` is our own
    fault."""

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
    """An answer that was read and waits to be written. `feed` is None when it holds nothing
    to store; then `changes` are the source's columns already."""

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
    full = source.last_full_fetch_at
    if full is None or now - full >= UNCONDITIONAL_AFTER:
        return FetchRequest(source.pk, source.url)
    return FetchRequest(source.pk, source.url, source.etag, source.last_modified)


def prepare(source: Source, result: FetchResult, now: datetime) -> Prepared:
    """Read one answer, without the database."""
    if result.error:
        return _failed(source, result, result.error, now)
    if result.not_modified:
        return _same(source, result)
    digest = blake2b(result.body, digest_size=32).hexdigest()
    changes = {"body_hash": digest, "last_full_fetch_at": now}
    if digest == source.body_hash:
        return _same(source, result, changes)
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
    one: Prepared, now: datetime, *, is_alone: bool = False
) -> tuple[Outcome, dict[str, Any]]:
    """Store what was read: (what the poll came to, the columns of the source to write).
    One that is alone commits as it goes; else the caller's transaction says what changed."""
    if one.outcome.error:
        return one.outcome, one.changes
    if one.feed is None or one.clean is None:
        return one.outcome, _unchanged(one.source, one.result, now) | one.changes
    stored, changes = _store(one.source, one.result, one.feed, one.clean, now, is_alone)
    return replace(one.outcome, stored=stored), changes | one.changes


def _outcome(source: Source, result: FetchResult, stored: Stored | None = None) -> Outcome:
    return Outcome(source, result.status, len(result.body), result.milliseconds, stored or Stored())


def _same(source: Source, result: FetchResult, changes: dict[str, Any] | None = None) -> Prepared:
    outcome = _outcome(source, result)
    return Prepared(source, replace(result, body=b""), outcome, changes or {})


def _failed(source: Source, result: FetchResult, error: str, now: datetime) -> Prepared:
    outcome = replace(_outcome(source, result), error=error, unreachable=result.unreachable)
    result = replace(result, body=b"")
    return Prepared(source, result, outcome, _failure(source, result, error, now))


def crashed(source: Source, result: FetchResult, now: datetime) -> Prepared:
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
        asked=Asked(retry_after=result.retry_after),
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
    return {"next_poll_at": due, "interval": max(int((due - now).total_seconds()), 0)}


def _success(
    source: Source, result: FetchResult, now: datetime, rate: float, asked: Asked
) -> dict[str, Any]:
    """What any good answer says about a source; a permanent move may be adopted."""
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
        **due_at(next_poll(now, items_per_day=rate, asked=asked), now),
    }
    if move.adopt and is_held(source):
        changes |= _adopt(source, move.moved_to)
    return changes


def _adopt(source: Source, url: str) -> dict[str, Any]:
    """The move's own columns; a source that was merged away keeps saying where to."""
    pk = source.pk
    survivor = adopt_address(source, url)
    logger.info("source_moved source_id=%s survivor_id=%s", pk, survivor.pk)
    return {"moved_to": "" if survivor.pk == pk else url, "moved_since": None}


def _unchanged(source: Source, result: FetchResult, now: datetime) -> dict[str, Any]:
    recent = source.last_new_at is not None and now - source.last_new_at < WEEK
    rate = source.items_per_day if recent else 0.0
    asked = Asked(max_age=result.max_age, retry_after=result.retry_after)
    changes = _success(source, result, now, rate, asked)
    return changes | _validators(result)


def _validators(result: FetchResult) -> dict[str, Any]:
    """A 304 may bring new validators or none (RFC 9111, 4.3.4); a 200 replaces both."""
    found = {"etag": result.etag, "last_modified": result.last_modified}
    return {k: v for k, v in found.items() if v} if result.not_modified else found


def _store(
    source: Source,
    result: FetchResult,
    feed: ParsedFeed,
    clean: CleanFeed,
    now: datetime,
    revises: bool,
) -> tuple[Stored, dict[str, Any]]:
    stored = store_entries(
        source.pk,
        clean.entries,
        now=now,
        topics=source.topics,
        language=source.language,
        is_first=source.last_succeeded_at is None,
        revises=revises,
    )
    changes = _describe(source, result, feed, clean)
    changes |= _success(source, result, now, _rate(source, now), _asked(feed, result))
    changes |= _validators(result)
    if stored.new_ids:
        changes["last_new_at"] = now
    return stored, changes


def _rate(source: Source, now: datetime) -> float:
    """Items a day over the last week."""
    week = Item.objects.filter(source_id=source.pk, pk__gte=lowest_id(now - WEEK))
    return week.order_by().count() / 7


def _asked(feed: ParsedFeed, result: FetchResult) -> Asked:
    return Asked(
        ttl=feed.ttl,
        max_age=result.max_age,
        retry_after=result.retry_after,
        skip_hours=feed.skip_hours,
        skip_days=feed.skip_days,
    )


def _describe(
    source: Source, result: FetchResult, feed: ParsedFeed, clean: CleanFeed
) -> dict[str, Any]:
    """What the document says of itself; a curator's words are never overwritten."""
    said = {
        "title": feed.title[:300],
        "site_url": canonical_url(feed.site_url, result.final_url)[:2048],
        "description": plain_title(feed.description)[:2000],
        "language": clean.entries[0].language if clean.entries else "",
    }
    blank = {name: value for name, value in said.items() if value and not getattr(source, name)}
    return blank | {
        "kind": feed.kind[:10],
        "complaint": clean.complaint,
        "trusts_guid": clean.trusts_guid,
    }
