# ruff: noqa: S608 - the SQL is built from constants, values are parameters
"""What is new for the readers of the open sockets, by a few queries for all of them."""

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import connection
from django.utils import timezone

from accounts.models import User
from ainews_site.infra import db_clock
from ainews_site.infra.db_router import reading_connection, signed_lsn
from feeds.core.ids import lowest_id
from feeds.models import TrendAlert
from feeds.reading.unread import unread_counts
from feeds.trends.alerts import due_alerts
from feeds.web.live.arrivals import RECENT, STEP, Arrivals, Counts, Numbers

HIDDEN_SINCE = timedelta(days=3)
"""Only hidden items that were published since are left out of the counts. Older ones rarely arrive,
and few of them are hidden before the page is renewed."""


@dataclass(frozen=True, slots=True)
class News:
    """New items of a reader.

    `seq` is the newest ledger number of their sources. `items` and `stories` are counts; if
    `has_more`, they are lower bounds. `lsn` is the signed LSN of the primary, "" without
    replicas: a page sends it with its next request, so that no lagging replica answers it.
    """

    seq: int
    items: int
    stories: int
    lsn: str = ""
    has_more: bool = False

    def as_event(self) -> dict[str, int | str]:
        event: dict[str, int | str] = {
            "kind": "new",
            "seq": self.seq,
            "items": self.items,
            "stories": self.stories,
        }
        event |= {"more": True} if self.has_more else {}
        return event | ({"position": self.lsn} if self.lsn else {})


@dataclass(slots=True)
class ReaderNews:
    """What the sockets of one reader may have to send: the newest ledger number that they may
    know, the news by the seq to count from, and the alerts that are due."""

    seq: int
    since: dict[int, News] = field(default_factory=dict)
    alerts: list[TrendAlert] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Reader:
    """The subscribed sources, the seqs of hidden items and the muted topics of a reader, as of a
    cache version."""

    version: int
    sources: Numbers
    hidden: Numbers
    muted: frozenset[str]


class NewsDesk:
    """Finds the news of many readers at once.

    It caches the latest arrivals, and what readers follow until their cache version changes. Its
    methods run in a thread, one at a time.
    """

    def __init__(self) -> None:
        self._arrivals = Arrivals()
        self._readers: dict[int, _Reader] = {}

    def forget(self, user_id: int) -> None:
        """Drop what is cached for a reader."""
        self._readers.pop(user_id, None)

    def news_of(self, seqs: Mapping[int, Collection[int]]) -> dict[int, ReaderNews]:
        """Return the news by reader, counted from each of their seqs. Deleted readers have none.

        The number of queries does not depend on the number of readers.
        """
        if not seqs:
            return {}
        lowest = min((seq for several in seqs.values() for seq in several), default=2**62)
        readers = self._readers_of(seqs)
        self._arrivals.refresh(lowest, any(reader.muted for reader in readers.values()))
        alerts = due_alerts(seqs, db_clock.now())
        # The LSN is read last, so that it includes everything that was counted.
        lsn = signed_lsn()
        return {
            pk: self._news(reader, seqs[pk], alerts.get(pk, []), lsn)
            for pk, reader in readers.items()
        }

    def _news(
        self, reader: _Reader, seqs: Collection[int], alerts: list[TrendAlert], lsn: str
    ) -> ReaderNews:
        newest = self._arrivals.newest_of(reader.sources)
        counts = {
            seq: self._arrivals.count(reader.sources, seq, reader.hidden, reader.muted)
            for seq in seqs
        }
        since = {seq: _as_news(newest, count, lsn) for seq, count in counts.items()}
        return ReaderNews(newest, since, alerts)

    def _readers_of(self, user_ids: Collection[int]) -> dict[int, _Reader]:
        readers = _query_readers(user_ids)
        changed = {
            pk: (version, interests)
            for pk, (version, interests) in readers.items()
            if pk not in self._readers or self._readers[pk].version != version
        }
        if changed:
            sources, hidden = _query_sources(changed), _query_hidden(changed)
            for pk, (version, interests) in changed.items():
                self._readers[pk] = _Reader(
                    version, _sorted(sources[pk]), _sorted(hidden[pk]), _muted(interests)
                )
        return {pk: self._readers[pk] for pk in readers}


def unread_totals(user_ids: Iterable[int]) -> dict[int, int]:
    """Return the number of unread items by reader. It takes a query or two for each reader, whose
    result the pages of the reader share."""
    users = User.objects.filter(pk__in=user_ids)
    return {user.pk: sum(unread_counts(user).values()) for user in users}


def _as_news(newest: int, counts: Counts, lsn: str) -> News:
    return News(newest, counts.items, counts.stories, lsn, counts.has_more)


def _sorted(values: Collection[int]) -> Numbers:
    return np.array(sorted(values), dtype=np.int64)


def _query_readers(user_ids: Iterable[int]) -> dict[int, tuple[int, str]]:
    """Return {reader: (cache version, interests as JSON)}."""
    query = f"SELECT id, version, CAST(interests AS text) FROM accounts_user WHERE {_among('id')}"
    with reading_connection().cursor() as cursor:
        cursor.execute(query, [_list(user_ids)])
        return {pk: (version, interests) for pk, version, interests in cursor.fetchall()}


def _muted(interests: str) -> frozenset[str]:
    return frozenset(topic for topic, level in json.loads(interests).items() if level == "mute")


def _query_sources(user_ids: Iterable[int]) -> dict[int, list[int]]:
    query = f"SELECT user_id, source_id FROM feeds_subscription WHERE {_among('user_id')}"
    return _by_reader(query, [_list(user_ids)])


def _query_hidden(user_ids: Iterable[int]) -> dict[int, list[int]]:
    """Return the seqs of recently published items that these readers have hidden."""
    first = lowest_id(timezone.now() - HIDDEN_SINCE)
    query = (
        "SELECT t.user_id, i.seq FROM feeds_itemstate t JOIN feeds_item i ON i.id = t.item_id"
        # The last condition excludes older partitions from the plan.
        f" WHERE {_among('t.user_id')} AND t.is_hidden AND t.item_id >= %s AND i.id >= %s"
    )
    return _by_reader(query, [_list(user_ids), first, first])


def _by_reader(query: str, parameters: list[Any]) -> dict[int, list[int]]:
    values = defaultdict(list)
    with reading_connection().cursor() as cursor:
        cursor.execute(query, parameters)
        for user_id, value in cursor.fetchall():
            values[user_id].append(value)
    return values


def _among(column: str) -> str:
    """A condition that `column` is in the list of ids that `_list` passes as one parameter."""
    return {
        "postgresql": f"{column} = ANY(%s)",
        "sqlite": f"{column} IN (SELECT value FROM json_each(%s))",
    }[connection.vendor]


def _list(ids: Iterable[int]) -> list[int] | str:
    return [*ids] if connection.vendor == "postgresql" else json.dumps([*ids])


def own_seq(user_id: int) -> tuple[str, list[Any]]:
    """Return the column of `reader_seq` as SQL without a table, and its parameters."""
    newest = "(SELECT COALESCE(max(seq), 0) AS seq FROM feeds_itemkey)"
    start = f"(newest.seq - {RECENT}) / {STEP} * {STEP}"
    # The unary + stops the planner from using the index on source_id. IS TRUE makes PostgreSQL read
    # the sources into a hash table once, where it would search an index for each row.
    own = (
        f"SELECT k.seq FROM feeds_itemkey k WHERE k.seq > {start} AND (+k.source_id IN"
        " (SELECT source_id FROM feeds_subscription WHERE user_id = %s)) IS TRUE"
        " ORDER BY k.seq DESC LIMIT 1"
    )
    return f"(SELECT COALESCE(({own}), {start}) FROM {newest} newest)", [user_id]


def reader_seq(user_id: int) -> int:
    """The newest ledger number that this reader may know, as in `Arrivals.newest_of`."""
    column, parameters = own_seq(user_id)
    with reading_connection().cursor() as cursor:
        cursor.execute(f"SELECT {column}", parameters)
        return max(0, int(cursor.fetchone()[0]))
