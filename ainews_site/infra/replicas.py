"""Tracks which database servers can answer.

Each process probes a replica about once a second, not at every query. A server that does not
answer costs one request a time-out. From then on a background thread tries to connect until the
server answers again.
"""

import logging
import math
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any
from zlib import crc32

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connections

PRIMARY = "default"
NO_ANSWER = "does not answer"
NO_STANDBY = "is not a standby of the primary"
PROBE_EVERY = 1.0
"""Seconds for which the result of a probe is used."""
PROBE_AGAIN = 0.1
"""The same, for a reader whose own write the replica did not have at the last probe."""
ANSWERS_WITHIN, LAST_ANSWERS_WITHIN = 0.5, 3.0
"""Seconds to wait for a lost server; the second if no other server is left."""

logger = logging.getLogger(__name__)

# A standby that has replayed everything it received does not lag, even if nothing was written for a
# long time. One that receives nothing lags since the last commit that it knows of.
_QUERY = (
    "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint,"
    " CASE WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0"
    " ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
    " END::float"
)


@dataclass(frozen=True, slots=True)
class Probe:
    """The result of probing a replica. If `problem` is empty, the replica can answer.

    `at` is the monotonic time of the probe, `replayed` the last LSN that the replica has replayed.
    """

    at: float = -math.inf
    replayed: int = -1
    problem: str = "has not been checked yet"
    lag: float | None = None
    """Seconds that it lags behind, None if that is not known."""


class Server:
    """The state of a database server, as this process sees it."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.is_lost = False
        self._tried_at = -math.inf
        self._lock = threading.Lock()

    def opens(self, *, is_last: bool = False) -> bool:
        """Open a connection for this thread's queries. Returns False if that fails.

        A lost server is tried again once in PROBE_EVERY seconds, or at once if it `is_last`: the
        only one left.
        """
        if self.is_lost:
            self._try_again(is_last)
        return not self.is_lost and self._connects()

    def _connects(self) -> bool:
        try:
            connections[self.alias].cursor().close()
        except (DatabaseError, InterfaceError):
            self.lose()
            return False
        return True

    def lose(self) -> None:
        """Mark the server as lost, so that requests do not wait for it again."""
        self.is_lost, self._tried_at = True, time.monotonic()

    def _try_again(self, is_last: bool) -> None:
        """Try to connect, in one thread at a time.

        The request waits only as long as a healthy server would take.
        """
        if not is_last and time.monotonic() - self._tried_at < PROBE_EVERY:
            return
        if not self._lock.acquire(timeout=LAST_ANSWERS_WITHIN if is_last else 0):
            return
        attempt = threading.Thread(target=self._connect_and_release, daemon=True)
        attempt.start()
        attempt.join(LAST_ANSWERS_WITHIN if is_last else ANSWERS_WITHIN)

    def _connect_and_release(self) -> None:
        connection: Any = connections[self.alias]
        try:
            connection.Database.connect(**connection.get_connection_params()).close()
            # A pool retries at growing intervals and would notice the recovery too late.
            connection.close_pool()
            self.is_lost = False
        except connection.Database.Error:
            self.is_lost = True
        finally:
            self._tried_at = time.monotonic()
            self._lock.release()


class Replica(Server):
    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self.is_lost = True  # until the first connection
        self._last_probe = Probe()
        self._probe_lock = threading.Lock()

    def has(self, lsn: int) -> bool:
        """Return True if it can answer and has replayed the log up to `lsn`."""
        probe = self.probe()
        if not probe.problem and probe.replayed < lsn:
            probe = self.probe(PROBE_AGAIN)
        return not probe.problem and probe.replayed >= lsn and self.opens()

    def can_answer_stale(self) -> bool:
        """Return True if it can answer with stale data when no other server is left."""
        return self.opens(is_last=True) and self.probe().problem != NO_STANDBY

    def probe(self, oldest: float = PROBE_EVERY) -> Probe:
        """Return a probe that is at most `oldest` seconds old.

        While one thread probes, the others get the previous result.
        """
        last = self._last_probe
        if time.monotonic() - last.at > oldest and self._probe_lock.acquire(blocking=False):
            try:
                before, self._last_probe = self._last_probe, self._query()
            finally:
                self._probe_lock.release()
            if before.problem.split()[:1] != self._last_probe.problem.split()[:1]:
                logger.warning("%s %s.", self.alias, self._last_probe.problem or "answers")
        return self._last_probe

    def _query(self) -> Probe:
        if not self.opens():
            return Probe(time.monotonic(), problem=NO_ANSWER)
        try:
            with connections[self.alias].cursor() as cursor:
                cursor.execute(_QUERY)
                is_standby, replayed, lag = cursor.fetchone()
        except (DatabaseError, InterfaceError):
            self.lose()
            return Probe(time.monotonic(), problem=NO_ANSWER)
        lag = lag if is_standby else None
        return Probe(time.monotonic(), replayed or -1, _problem(is_standby, lag), lag)


def _problem(is_standby: bool, lag: float | None) -> str:
    if not is_standby:
        return NO_STANDBY
    if lag is None:
        return "receives nothing from the primary"
    return f"lags {lag:.0f} s behind" if lag > settings.DATABASE_REPLICA_LAG else ""


@cache
def primary() -> Server:
    return Server(PRIMARY)


@cache
def replicas() -> tuple[Replica, ...]:
    return tuple(Replica(alias) for alias in settings.REPLICAS)


def choose(lsn: int, reader: str) -> str:
    """Return the alias of the database that answers `reader`, who knows of `lsn`.

    This is a replica that has replayed the log up to `lsn`, else the primary. If the primary is
    down, it is any replica that answers, because stale news is better than none.
    """
    ordered = _in_order_for(reader, replicas())
    for replica in ordered:
        if replica.has(lsn):
            return replica.alias
    if primary().opens():
        return PRIMARY
    return next((replica.alias for replica in ordered if replica.can_answer_stale()), PRIMARY)


def _in_order_for(reader: str, servers: Sequence[Replica]) -> Sequence[Replica]:
    """Return `servers` in the order in which `reader` uses them.

    A reader stays with one replica, because another may be a little older and lack what the
    previous page has shown.
    """
    first = crc32(reader.encode()) % len(servers)
    return [*servers[first:], *servers[:first]]
