"""Polls sources: claims, fetches, parses, cleans and stores them, and schedules the next polls."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from ainews_site.infra import db_clock
from ainews_site.infra.sqlite_lock import is_locked
from ainews_site.infra.stopping import is_stopping, leave_rest
from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.core.bulk import adapt_time, insert_rows, update_rows
from feeds.ingest.fetch.arrivals import fetched
from feeds.ingest.fetch.client import Limits
from feeds.ingest.fetch.types import FetchResult
from feeds.ingest.lease import claim, release, renew
from feeds.ingest.measure import count_outcome
from feeds.ingest.new_rows import NewRows
from feeds.ingest.outcome import Outcome, Prepared, crashed, due_at, finish, prepare, request_for
from feeds.ingest.store import CHUNK, ensure_partitions_of
from feeds.models import FetchLog, Source
from feeds.search.postgres.index import merge_pending

logger = logging.getLogger(__name__)

FEWEST_HOSTS = 5
"""With fewer hosts than this, failures do not show that our own network is down."""
OFFLINE_PAUSE = timedelta(minutes=5)
LATELY = timedelta(minutes=10)
FLUSH_AFTER = 50
"""Number of responses after which they are written."""
RENEWALS = 7.5
"""How often a lease is renewed while it lasts."""
_LOG_COLUMNS = (
    "source_id",
    "at",
    "status",
    "milliseconds",
    "size",
    "new",
    "updated",
    "error",
    "note",
)


@dataclass(frozen=True, slots=True)
class PollReport:
    """The outcomes of a run. `busy` is the number of sources that other workers held."""

    outcomes: tuple[Outcome, ...]
    busy: int
    seconds: float
    offline: bool = False
    """True if no host answered, so that our own network must be down."""

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
    """Poll those of `source_ids` that no other worker holds, whether or not they are due.

    `now` replaces the present time in a replay. Sources that are not fetched within `seconds`, or
    before the process is asked to stop, are released and stay due. The process may die at any
    moment: leases expire, and storing an entry twice changes nothing.
    """
    started = time.monotonic()
    wanted = list(source_ids)
    sources = claim(wanted, db_clock.exact_now())
    poll = _Poll(sources, now, on_result)
    try:
        poll.run(limits or Limits.from_settings(), started + seconds)
    finally:
        poll.flush()
        release(poll.waiting.values())
    if poll.waiting and is_stopping():
        leave_rest()
    merge_pending(pk for outcome in poll.outcomes for pk in outcome.stored.new_ids)
    offline = is_offline(poll.outcomes)
    if offline:
        _reset_failures(poll.outcomes, db_clock.now())
    seconds = time.monotonic() - started
    return PollReport(tuple(poll.outcomes), len(wanted) - len(sources), seconds, offline)


def is_offline(outcomes: Sequence[Outcome]) -> bool:
    """Return True if our own network seems to be down.

    That is so if several hosts were tried and none was reachable, and no source was read lately.
    """
    hosts = {urlsplit(outcome.source.url).netloc for outcome in outcomes}
    if len(hosts) < FEWEST_HOSTS or not all(outcome.unreachable for outcome in outcomes):
        return False
    lately = db_clock.now() - LATELY
    return not Source.objects.filter(last_succeeded_at__gte=lately).exists()


def _reset_failures(outcomes: Iterable[Outcome], now: datetime) -> None:
    """Undo the back-off of sources that failed only because we were offline.

    Otherwise a laptop that was offline would have to wait for its sources. Their errors stay, so
    that readers see why there is no news.
    """
    rows = []
    for outcome in outcomes:
        source = outcome.source
        before = {"failures": source.failures, "failing_since": source.failing_since}
        due = due_at(now + OFFLINE_PAUSE, now)
        rows.append((before | due, (source.pk, source.lease_token)))
    update_rows(Source, ("id", "lease_token"), rows)


class _Poll:
    """One run over claimed sources.

    Responses are written in batches, because a commit costs as much as storing a small feed. A
    response does not wait long for its batch.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        now: datetime | None,
        on_result: Callable[[Outcome], None] | None,
    ) -> None:
        self.waiting = {source.pk: source for source in sources}
        self.outcomes: list[Outcome] = []
        self._now, self._on_result = now, on_result
        self._unwritten: list[Prepared] = []
        self._entries = 0

    def now(self) -> datetime:
        return self._now or db_clock.now()

    def run(self, limits: Limits, until: float = math.inf) -> None:
        """Fetch and process all sources.

        Stops at the monotonic time `until`, or when the process is asked to stop.
        """
        requests = [request_for(source, self.now()) for source in self.waiting.values()]
        renewed, renew_after = time.monotonic(), settings.LEASE_SECONDS / RENEWALS
        with closing(fetched(requests, limits)) as results:
            for result in results:
                if result is None:
                    self.flush()
                else:
                    self._take(result)
                if time.monotonic() > until or is_stopping():
                    break
                if time.monotonic() - renewed > renew_after:
                    renew(list(self.waiting.values()), db_clock.exact_now())
                    renewed = time.monotonic()

    def _take(self, result: FetchResult) -> None:
        source = self.waiting[result.source_id]
        try:
            prepared = prepare(source, result, self.now())
        except Exception:  # one feed must not keep the others from being polled
            logger.exception("poll_crashed source_id=%s", source.pk)
            prepared = crashed(source, result, self.now())
        self._unwritten.append(prepared)
        self._entries += prepared.entries
        if self._entries >= CHUNK or len(self._unwritten) >= FLUSH_AFTER:
            self.flush()

    def flush(self) -> None:
        """Write the waiting responses in one transaction, or one by one if that fails.

        Large responses are written by themselves.
        """
        batch, self._unwritten, self._entries = self._unwritten, [], 0
        small = [prepared for prepared in batch if prepared.entries <= CHUNK]
        large = [[prepared] for prepared in batch if prepared.entries > CHUNK]
        for group in ([small] if small else []) + large:
            for outcome in self._write(group):
                self.outcomes.append(outcome)
                count_outcome(outcome)
                if self._on_result:
                    self._on_result(outcome)

    def _write(self, batch: Sequence[Prepared]) -> list[Outcome]:
        try:
            if len(batch) == 1:  # it may be large, and is committed in chunks
                return self._record([finish(batch[0], self.now())])
            cleaned = [prepared.clean for prepared in batch if prepared.clean]
            ensure_partitions_of(chain.from_iterable(c.entries for c in cleaned), self.now())
            with transaction.atomic():
                rows = NewRows()
                done = [finish(prepared, self.now(), rows) for prepared in batch]
                rows.insert()
                return self._record(done)
        except Exception as error:
            if is_locked(error):  # no fault of a feed; they are due again when their leases end
                raise
            if len(batch) > 1:
                return [outcome for prepared in batch for outcome in self._write([prepared])]
            source = batch[0].source
            logger.exception("poll_crashed source_id=%s", source.pk)
            failed = crashed(source, batch[0].result, self.now())
            return self._record([(failed.outcome, failed.changes)])

    @transaction.atomic(savepoint=False)
    def _record(self, done: Sequence[tuple[Outcome, dict[str, Any]]]) -> list[Outcome]:
        """Update the sources and write the log.

        A source that another worker has claimed meanwhile is not updated.
        """
        rows = [
            ({"lease_until": None} | changes, (outcome.source.pk, outcome.source.lease_token))
            for outcome, changes in done
        ]
        Source.objects.filter(pk__in=[outcome.source.pk for outcome, _ in done]).lock()
        update_rows(Source, ("id", "lease_token"), rows)
        lines = [_log_line(outcome, self.now()) for outcome, _ in done if outcome.source.pk]
        insert_rows(FetchLog, _LOG_COLUMNS, lines)
        if any(_changes_existing(outcome, changes) for outcome, changes in done):
            bump_revision(CONTENT)
        for outcome, _ in done:
            self.waiting.pop(outcome.source.pk, None)
        return [outcome for outcome, _ in done]


def _changes_existing(outcome: Outcome, changes: dict[str, Any]) -> bool:
    """Return True if the poll changed items or titles that readers may have seen."""
    has_name = changes.get("title", outcome.source.title) != outcome.source.title
    return bool(outcome.stored.updated_ids) or has_name or bool(changes.get("moved_to"))


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
        outcome.note,
    )
