"""Poll sources: claim, fetch, parse, clean, store, and say when each is due again."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.db import transaction

from ainews_site.infra import db_clock
from ainews_site.infra.sqlite_lock import is_locked
from feeds.coordination.revisions import CONTENT, bump_revision
from feeds.core.bulk import adapt_time, insert_rows, update_rows
from feeds.ingest.fetch.arrivals import fetched
from feeds.ingest.fetch.client import Limits
from feeds.ingest.fetch.types import FetchResult
from feeds.ingest.lease import claim, give_back, renew
from feeds.ingest.outcome import Outcome, Prepared, crashed, due_at, finish, prepare, request_for
from feeds.ingest.store import CHUNK
from feeds.models import FetchLog, Source
from feeds.search.postgres.index import sort_in

logger = logging.getLogger(__name__)

FEWEST_HOSTS = 5
OFFLINE_PAUSE = timedelta(minutes=5)
LATELY = timedelta(minutes=10)
FLUSH_AFTER = 50
RENEWALS = 7.5
"""How often a lease is renewed in the time it lasts."""
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
    sources = claim(wanted, db_clock.exact_now())
    poll = _Poll(sources, now, on_result)
    try:
        poll.run(limits or Limits.from_settings(), started + seconds)
    finally:
        poll.flush()
        give_back(poll.waiting.values())
    sort_in(pk for outcome in poll.outcomes for pk in outcome.stored.new_ids)
    offline = is_offline(poll.outcomes)
    if offline:
        _forgive(poll.outcomes, db_clock.now())
    seconds = time.monotonic() - started
    return PollReport(tuple(poll.outcomes), len(wanted) - len(sources), seconds, offline)


def is_offline(outcomes: Sequence[Outcome]) -> bool:
    """Whether it is we who have no network: no connection to any of many hosts, and not one
    source that was read of late."""
    hosts = {urlsplit(outcome.source.url).netloc for outcome in outcomes}
    if len(hosts) < FEWEST_HOSTS or not all(outcome.unreachable for outcome in outcomes):
        return False
    lately = db_clock.now() - LATELY
    return not Source.objects.filter(last_succeeded_at__gte=lately).exists()


def _forgive(outcomes: Iterable[Outcome], now: datetime) -> None:
    """A laptop without a network must not find its sources backed off when it has one; why
    nothing comes is said all the same."""
    rows = []
    for outcome in outcomes:
        source = outcome.source
        before = {"failures": source.failures, "failing_since": source.failing_since}
        due = due_at(now + OFFLINE_PAUSE, now)
        rows.append((before | due, (source.pk, source.lease_token)))
    update_rows(Source, ("id", "lease_token"), rows)


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
        self._unwritten: list[Prepared] = []
        self._entries = 0

    def now(self) -> datetime:
        return self._now or db_clock.now()

    def run(self, limits: Limits, until: float = math.inf) -> None:
        """`until` is the monotonic time after which no more results are awaited."""
        requests = [request_for(source, self.now()) for source in self.waiting.values()]
        renewed, renew_after = time.monotonic(), settings.LEASE_SECONDS / RENEWALS
        with closing(fetched(requests, limits)) as results:
            for result in results:
                if result is None:
                    self.flush()
                else:
                    self._take(result)
                if time.monotonic() > until:
                    break
                if time.monotonic() - renewed > renew_after:
                    renew(list(self.waiting.values()), db_clock.exact_now())
                    renewed = time.monotonic()

    def _take(self, result: FetchResult) -> None:
        source = self.waiting[result.source_id]
        try:
            prepared = prepare(source, result, self.now())
        except Exception:  # whatever one feed does to us, the others are polled
            logger.exception("poll_crashed source_id=%s", source.pk)
            prepared = crashed(source, result, self.now())
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

    def _write(self, batch: Sequence[Prepared]) -> list[Outcome]:
        try:
            if len(batch) == 1:  # a large one commits as it goes
                return self._record([finish(batch[0], self.now(), is_alone=True)])
            with transaction.atomic():
                return self._record([finish(one, self.now()) for one in batch])
        except Exception as error:
            if is_locked(error):  # no feed is to blame: they are due again when their lease ends
                raise
            if len(batch) > 1:
                return [outcome for one in batch for outcome in self._write([one])]
            source = batch[0].source
            logger.exception("poll_crashed source_id=%s", source.pk)
            failed = crashed(source, batch[0].result, self.now())
            return self._record([(failed.outcome, failed.changes)])

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
            bump_revision(CONTENT)
        for outcome, _ in done:
            self.waiting.pop(outcome.source.pk, None)
        return [outcome for outcome, _ in done]


def _corrects(outcome: Outcome, changes: dict[str, Any]) -> bool:
    """Whether it changes what was shown already."""
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
