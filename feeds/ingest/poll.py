"""Poll sources: claim, fetch, parse, clean, store, and say when each is due again."""

import asyncio
import logging
import math
import threading
import time
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from feeds import clock
from feeds.ids import lowest_id
from feeds.ingest.clean import CleanFeed, canonical_url, clean_feed, plain_title
from feeds.ingest.errors import FeedError
from feeds.ingest.fetch import Limits, fetch_all
from feeds.ingest.lease import claim, give_back, is_held, renew
from feeds.ingest.move import adopt_address
from feeds.ingest.parse import parse_feed
from feeds.ingest.rows import adapt_time, insert_rows, update_rows
from feeds.ingest.schedule import Asked, judge_move, next_poll, next_try
from feeds.ingest.store import CHUNK, Stored, store_entries
from feeds.ingest.types import FetchRequest, FetchResult, ParsedFeed
from feeds.models import FetchLog, Item, Source
from feeds.revisions import CONTENT, revise
from feeds.search.postgres_index import sort_in

logger = logging.getLogger(__name__)

UNCONDITIONAL_AFTER = timedelta(hours=12)
"""Some servers answer 304 for ever; so often we ask for the whole document."""
FEWEST_HOSTS = 5
OFFLINE_PAUSE = timedelta(minutes=5)
LATELY = timedelta(minutes=10)
FLUSH_AFTER = 50
IDLE = 0.5
"""Seconds without a result after which what was read is written."""
MOMENT = 0.005
MOST_TAKEN = 16
RENEWALS = 7.5
"""How often a lease is renewed in the time it lasts."""
GONE = 410
_LOG_COLUMNS = ("source_id", "at", "status", "milliseconds", "size", "new", "updated", "error")
WEEK = timedelta(days=7)
CRASHED = "The feed could not be stored; the log says why. It is tried again."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one poll of one source came to. `error` is in words; `crashed` is our own fault."""

    source: Source
    status: int = 0
    size: int = 0
    milliseconds: int = 0
    stored: Stored = field(default_factory=Stored)
    error: str = ""
    crashed: bool = False
    unreachable: bool = False

    @property
    def is_unchanged(self) -> bool:
        return not self.error and not self.stored.new_ids and not self.stored.updated_ids


@dataclass(frozen=True, slots=True)
class PollReport:
    """All outcomes, and how many sources were left to the worker that holds them."""

    outcomes: tuple[Outcome, ...]
    busy: int
    seconds: float
    offline: bool = False
    """Not one host answered: it is our network that is missing."""

    @property
    def new(self) -> int:
        return sum(len(outcome.stored.new_ids) for outcome in self.outcomes)

    @property
    def updated(self) -> int:
        return sum(len(outcome.stored.updated_ids) for outcome in self.outcomes)

    @property
    def failed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.error]

    @property
    def crashed(self) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.crashed]


def poll_sources(
    source_ids: Iterable[int],
    *,
    now: datetime | None = None,
    on_result: Callable[[Outcome], None] | None = None,
    limits: Limits | None = None,
    seconds: float = math.inf,
) -> PollReport:
    """Poll those of `source_ids` that no other worker holds, whatever their schedule.

    `now` stands for the present in a replay. What is not fetched within `seconds` is given
    back and stays due. Any process may die at any moment: leases run out, and storing
    again what was stored changes nothing.
    """
    started = time.monotonic()
    wanted = list(source_ids)
    sources = claim(wanted, clock.ask())
    poll = _Poll(sources, now, on_result)
    try:
        poll.run(limits or Limits.from_settings(), started + seconds)
    finally:
        poll.flush()
        give_back(poll.waiting.values())
    sort_in(pk for outcome in poll.outcomes for pk in outcome.stored.new_ids)
    offline = is_offline(poll.outcomes)
    if offline:
        _forgive(poll.outcomes, clock.now())
    seconds = time.monotonic() - started
    return PollReport(tuple(poll.outcomes), len(wanted) - len(sources), seconds, offline)


def is_offline(outcomes: Sequence[Outcome]) -> bool:
    """Whether it is we who have no network: no connection to any of many hosts, and not one
    source that was read of late."""
    hosts = {urlsplit(outcome.source.url).netloc for outcome in outcomes}
    if len(hosts) < FEWEST_HOSTS or not all(outcome.unreachable for outcome in outcomes):
        return False
    lately = clock.now() - LATELY
    return not Source.objects.filter(last_succeeded_at__gte=lately).exists()


def _forgive(outcomes: Iterable[Outcome], now: datetime) -> None:
    """A laptop without a network must not find its sources backed off when it has one; why
    nothing comes is said all the same."""
    rows = []
    for outcome in outcomes:
        source = outcome.source
        before = {"failures": source.failures, "failing_since": source.failing_since}
        due = _due(now + OFFLINE_PAUSE, now)
        rows.append((before | due, (source.pk, source.lease_token)))
    update_rows(Source, ("id", "lease_token"), rows)


@dataclass(frozen=True, slots=True)
class _Prepared:
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


class _Poll:
    """One run over claimed sources. What was read is written some at a time, since a
    commit costs as much as the entries of a small feed; none waits long for it."""

    def __init__(
        self,
        sources: Sequence[Source],
        now: datetime | None,
        on_result: Callable[[Outcome], None] | None,
    ) -> None:
        self.waiting = {source.pk: source for source in sources}
        self.outcomes: list[Outcome] = []
        self._now, self._on_result = now, on_result
        self._unwritten: list[_Prepared] = []
        self._entries = 0

    def now(self) -> datetime:
        return self._now or clock.now()

    def run(self, limits: Limits, until: float = math.inf) -> None:
        """`until` is the monotonic time after which no more results are awaited."""
        requests = [_request(source, self.now()) for source in self.waiting.values()]
        renewed, renew_after = time.monotonic(), settings.LEASE_SECONDS / RENEWALS
        with closing(_fetched(requests, limits)) as results:
            for result in results:
                if result is None:
                    self.flush()
                else:
                    self._take(result)
                if time.monotonic() > until:
                    break
                if time.monotonic() - renewed > renew_after:
                    renew(list(self.waiting.values()), clock.ask())
                    renewed = time.monotonic()

    def _take(self, result: FetchResult) -> None:
        source = self.waiting[result.source_id]
        try:
            prepared = prepare(source, result, self.now())
        except Exception:  # whatever one feed does to us, the others are polled
            logger.exception("poll_crashed source_id=%s", source.pk)
            prepared = _crashed(source, result, self.now())
        self._unwritten.append(prepared)
        self._entries += prepared.entries
        if self._entries >= CHUNK or len(self._unwritten) >= FLUSH_AFTER:
            self.flush()

    def flush(self) -> None:
        """Write what was read, in one transaction; one after another should that fail."""
        batch, self._unwritten, self._entries = self._unwritten, [], 0
        small = [one for one in batch if one.entries <= CHUNK]
        large = [[one] for one in batch if one.entries > CHUNK]
        for group in ([small] if small else []) + large:
            for outcome in self._write(group):
                self.outcomes.append(outcome)
                if self._on_result:
                    self._on_result(outcome)

    def _write(self, batch: Sequence[_Prepared]) -> list[Outcome]:
        try:
            if len(batch) == 1:  # a large one commits as it goes
                return self._record([finish(batch[0], self.now(), is_alone=True)])
            with transaction.atomic():
                return self._record([finish(one, self.now()) for one in batch])
        except Exception:
            if len(batch) > 1:
                return [outcome for one in batch for outcome in self._write([one])]
            source = batch[0].source
            logger.exception("poll_crashed source_id=%s", source.pk)
            crashed = _crashed(source, batch[0].result, self.now())
            return self._record([(crashed.outcome, crashed.changes)])

    @transaction.atomic(savepoint=False)
    def _record(self, done: Sequence[tuple[Outcome, dict[str, Any]]]) -> list[Outcome]:
        """Write sources and log; a source that another took over is left alone."""
        rows = [
            ({"lease_until": None} | changes, (outcome.source.pk, outcome.source.lease_token))
            for outcome, changes in done
        ]
        Source.objects.filter(pk__in=[outcome.source.pk for outcome, _ in done]).lock()
        update_rows(Source, ("id", "lease_token"), rows)
        lines = [_log_line(outcome, self.now()) for outcome, _ in done if outcome.source.pk]
        insert_rows(FetchLog, _LOG_COLUMNS, lines)
        if any(_corrects(outcome, changes) for outcome, changes in done):
            revise(CONTENT)
        for outcome, _ in done:
            self.waiting.pop(outcome.source.pk, None)
        return [outcome for outcome, _ in done]


def _corrects(outcome: Outcome, changes: dict[str, Any]) -> bool:
    """Whether it changes what was shown already."""
    has_name = changes.get("title", outcome.source.title) != outcome.source.title
    return bool(outcome.stored.updated_ids) or has_name or bool(changes.get("moved_to"))


def _fetched(
    requests: Sequence[FetchRequest], limits: Limits
) -> Generator[FetchResult | None, None, None]:
    """The results as they come, None when none came for a moment. The network goes on in a
    thread of its own; what has a body is read before the next is taken, which bounds the
    memory."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fetch", daemon=True)
    thread.start()
    taker = _Taker(fetch_all(requests, limits), len(requests))
    try:
        while taker.left:
            taken = asyncio.run_coroutine_threadsafe(taker.take(), loop).result()
            yield from taken or (None,)
    finally:
        asyncio.run_coroutine_threadsafe(taker.close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


class _Taker:
    """Takes several results at once where it can: from one thread to another is dear."""

    def __init__(self, results: AsyncGenerator[FetchResult, None], left: int) -> None:
        self.left = left
        self._results = results
        self._next: asyncio.Task[FetchResult] | None = None

    async def take(self) -> list[FetchResult]:
        """What comes within a moment of the first, up to the first body; nothing when idle."""
        taken: list[FetchResult] = []
        patience = IDLE
        while self.left and len(taken) < MOST_TAKEN:
            if self._next is None:
                self._next = asyncio.create_task(self._take_one())
            await asyncio.wait([self._next], timeout=patience)
            if not self._next.done():
                break
            result, self._next = self._next.result(), None
            taken.append(result)
            self.left -= 1
            patience = MOMENT
            if result.body:
                break
        return taken

    async def _take_one(self) -> FetchResult:
        return await anext(self._results)

    async def close(self) -> None:
        """End what is under way, should the consumer have been interrupted."""
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        await self._results.aclose()


def _request(source: Source, now: datetime) -> FetchRequest:
    full = source.last_full_fetch_at
    if full is None or now - full >= UNCONDITIONAL_AFTER:
        return FetchRequest(source.pk, source.url)
    return FetchRequest(source.pk, source.url, source.etag, source.last_modified)


def prepare(source: Source, result: FetchResult, now: datetime) -> _Prepared:
    """Read one answer, without the database."""
    if result.error:
        return _failed(source, result, result.error, now)
    if result.not_modified:
        return _same(source, result)
    digest = blake2b(result.body, digest_size=32).hexdigest()
    changes = {"body_hash": digest, "last_full_fetch_at": now}
    if digest == source.body_hash:
        return _same(source, result, changes)
    try:
        feed = parse_feed(result.body, result.content_type, result.final_url)
    except FeedError as error:
        return _failed(source, result, str(error), now)
    clean = clean_feed(feed, result.final_url, trusts_guid=source.trusts_guid, now=now)
    outcome = _outcome(source, result)
    result = replace(result, body=b"")
    return _Prepared(source, result, outcome, changes, feed, clean)


def finish(
    one: _Prepared, now: datetime, *, is_alone: bool = False
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


def _same(source: Source, result: FetchResult, changes: dict[str, Any] | None = None) -> _Prepared:
    outcome = _outcome(source, result)
    return _Prepared(source, replace(result, body=b""), outcome, changes or {})


def _failed(source: Source, result: FetchResult, error: str, now: datetime) -> _Prepared:
    outcome = replace(_outcome(source, result), error=error, unreachable=result.unreachable)
    result = replace(result, body=b"")
    return _Prepared(source, result, outcome, _failure(source, result, error, now))


def _crashed(source: Source, result: FetchResult, now: datetime) -> _Prepared:
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
        **_due(due, now),
    }
    return changes | ({"status": Source.Status.GONE} if result.status == GONE else {})


def _due(due: datetime, now: datetime) -> dict[str, Any]:
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
        **_due(next_poll(now, items_per_day=rate, asked=asked), now),
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


def _log_line(outcome: Outcome, now: datetime) -> tuple[Any, ...]:
    """The values of _LOG_COLUMNS."""
    return (
        outcome.source.pk,
        adapt_time(now),
        outcome.status,
        outcome.milliseconds,
        outcome.size,
        len(outcome.stored.new_ids),
        len(outcome.stored.updated_ids),
        outcome.error,
    )
