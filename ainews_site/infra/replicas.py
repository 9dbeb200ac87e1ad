"""Which database server may answer. Each is looked at about once a second, not at every
query. One that does not answer costs a request its time-out once: from then on a thread of
its own asks it, until it answers again."""

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
LOOK_EVERY = 1.0
LOOK_AGAIN = 0.1
"""Seconds, for a reader whose own write a replica did not have yet."""
ANSWERS_WITHIN, LAST_ANSWERS_WITHIN = 0.5, 3.0
"""Seconds; the second of a server without which nothing can be read."""

logger = logging.getLogger(__name__)

# A standby that has replayed all it received is not behind, however long nothing was
# written; one that receives nothing is as old as the last commit it knows of.
_QUERY = (
    "SELECT pg_is_in_recovery(), (pg_last_wal_replay_lsn() - '0/0')::bigint,"
    " CASE WHEN pg_last_wal_receive_lsn() <= pg_last_wal_replay_lsn()"
    " AND EXISTS (SELECT FROM pg_stat_wal_receiver) THEN 0"
    " ELSE EXTRACT(EPOCH FROM clock_timestamp() - pg_last_xact_replay_timestamp())"
    " END::float"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at a replica showed. Without `problem` it may answer."""

    at: float = -math.inf
    replayed: int = -1
    problem: str = "has not been checked yet"


class Server:
    """The primary, as this process sees it."""

    def __init__(self, alias: str) -> None:
        self.alias = alias
        self.is_lost = False
        self._asked = -math.inf
        self._lock = threading.Lock()

    def opens(self, *, is_last: bool = False) -> bool:
        """Whether it takes a connection of this thread, which the queries then use.

        What was lost is asked again from time to time, but at once where it is the last.
        """
        if self.is_lost:
            self._ask_again(is_last)
        return not self.is_lost and self._connects()

    def _connects(self) -> bool:
        try:
            connections[self.alias].cursor().close()
        except (DatabaseError, InterfaceError):
            self.lose()
            return False
        return True

    def lose(self) -> None:
        """Do not wait for it again and again: it has just failed."""
        self.is_lost, self._asked = True, time.monotonic()

    def _ask_again(self, is_last: bool) -> None:
        """At most one at a time asks it, and this request waits no longer than one that
        is there takes to answer."""
        if not is_last and time.monotonic() - self._asked < LOOK_EVERY:
            return
        if not self._lock.acquire(timeout=LAST_ANSWERS_WITHIN if is_last else 0):
            return
        asking = threading.Thread(target=self._ask_and_release, daemon=True)
        asking.start()
        asking.join(LAST_ANSWERS_WITHIN if is_last else ANSWERS_WITHIN)

    def _ask_and_release(self) -> None:
        connection: Any = connections[self.alias]
        try:
            connection.Database.connect(**connection.get_connection_params()).close()
            # A pool tries ever more seldom, and would be late to know.
            connection.close_pool()
            self.is_lost = False
        except connection.Database.Error:
            self.is_lost = True
        finally:
            self._asked = time.monotonic()
            self._lock.release()


class Replica(Server):
    def __init__(self, alias: str) -> None:
        super().__init__(alias)
        self.is_lost = True  # as long as nobody has asked it
        self._seen = Seen()
        self._look_lock = threading.Lock()

    def has(self, position: int) -> bool:
        """Whether it may answer a reader who knows of `position`."""
        seen = self.look()
        if not seen.problem and seen.replayed < position:
            seen = self.look(LOOK_AGAIN)
        return not seen.problem and seen.replayed >= position and self.opens()

    def has_old_news(self) -> bool:
        """Whether it may answer when there is nobody else."""
        return self.opens(is_last=True) and self.look().problem != NO_STANDBY

    def look(self, oldest: float = LOOK_EVERY) -> Seen:
        """What is known of it, at most `oldest` seconds old. While one thread asks, the
        others go by what was known before."""
        if time.monotonic() - self._seen.at > oldest and self._look_lock.acquire(blocking=False):
            try:
                before, self._seen = self._seen, self._ask()
            finally:
                self._look_lock.release()
            if before.problem.split()[:1] != self._seen.problem.split()[:1]:
                logger.warning("%s %s.", self.alias, self._seen.problem or "answers")
        return self._seen

    def _ask(self) -> Seen:
        if not self.opens():
            return Seen(time.monotonic(), problem=NO_ANSWER)
        try:
            with connections[self.alias].cursor() as cursor:
                cursor.execute(_QUERY)
                is_standby, replayed, lag = cursor.fetchone()
        except (DatabaseError, InterfaceError):
            self.lose()
            return Seen(time.monotonic(), problem=NO_ANSWER)
        return Seen(time.monotonic(), replayed or -1, _problem(is_standby, lag))


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


def choose(position: int, reader: str) -> str:
    """The alias of a database that may answer `reader`, who knows of `position`.

    A replica that is fit; else the primary; without the primary any replica that answers,
    as old news are better than none.
    """
    ordered = _in_order_for(reader, replicas())
    for replica in ordered:
        if replica.has(position):
            return replica.alias
    if primary().opens():
        return PRIMARY
    return next((one.alias for one in ordered if one.has_old_news()), PRIMARY)


def _in_order_for(reader: str, all_of_them: Sequence[Replica]) -> Sequence[Replica]:
    """Each reader keeps to one as long as it is fit: another may be a little older, and
    lack what the page before has shown."""
    first = crc32(reader.encode()) % len(all_of_them)
    return [*all_of_them[first:], *all_of_them[:first]]
