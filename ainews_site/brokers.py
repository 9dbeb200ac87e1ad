"""Where messages wait: in the database. A worker takes those of one queue, or of both."""

import os
import time
from datetime import datetime, timedelta
from typing import Any

from django_q.brokers.orm import ORM
from django_q.conf import Conf

from ainews_site.queue import FAST, SLOW
from feeds import clock

CANDIDATES = 10
"""Messages that are tried in turn, as others may take them first."""


def queues_taken(name: str) -> list[str]:
    """A cluster that was told its name takes that queue, one that was not takes both."""
    return [name] if os.environ.get("Q_CLUSTER_NAME") or name != FAST else [FAST, SLOW]


class Database(ORM):  # type: ignore[misc]
    """django-q2's own broker, for two queues, without a pause after a lost race, and by the
    database's clock: what one machine has in hand another must not take for forgotten."""

    def timeout(self, task: Any) -> datetime:
        return clock.now() + timedelta(seconds=Conf.RETRY)

    def enqueue(self, task: str) -> int:
        name = self.list_key or Conf.CLUSTER_NAME
        return int(self.get_connection().create(key=name, payload=task, lock=clock.now()).pk)

    def queue_size(self) -> int:
        return int(self._mine().filter(lock__lte=clock.now()).count())

    def lock_size(self) -> int:
        return int(self._mine().filter(lock__gt=clock.now()).count())

    def _mine(self) -> Any:
        return self.get_connection().filter(key=self.list_key)

    def dequeue(self) -> list[tuple[int, str]] | None:
        for name in queues_taken(self.list_key):
            if taken := self._take(name):
                return taken
        time.sleep(Conf.POLL)
        return None

    def _take(self, name: str) -> list[tuple[int, str]]:
        """The oldest message that no other process takes at this moment."""
        messages = self.get_connection()
        waiting = messages.filter(key=name, lock__lt=clock.now()).order_by("pk")
        for message in waiting[:CANDIDATES]:
            mine = messages.filter(pk=message.pk, lock=message.lock)
            if mine.update(lock=self.timeout(message)):
                return [(message.pk, message.payload)]
        return []
