"""Where messages wait: in the database. A worker takes those of one queue, or of both."""

import logging
import os
import time
from datetime import datetime, timedelta
from typing import Any

from django.db import Error
from django_q.brokers.orm import ORM
from django_q.conf import Conf

from ainews_site.infra import db_clock
from ainews_site.infra.sqlite_lock import busy_timeout
from ainews_site.queue.config import FAST, SLOW

CANDIDATES = 10
"""Messages that are tried in turn, as others may take them first."""
PATIENCE = 1.0
"""Seconds that one look for messages waits for SQLite's lock; the next look comes soon."""
LONGEST_TRY = 600.0
"""Seconds after which a message that cannot be removed is left: its task is then done again."""

logger = logging.getLogger(__name__)


def queues_taken(name: str) -> list[str]:
    """A cluster that was told its name takes that queue, one that was not takes both."""
    return [name] if os.environ.get("Q_CLUSTER_NAME") or name != FAST else [FAST, SLOW]


class Database(ORM):  # type: ignore[misc]
    """django-q2's own broker, for two queues, without a pause after a lost race, and by the
    database's clock: what one machine has in hand another must not take for forgotten."""

    _problem = ""

    def timeout(self, task: Any) -> datetime:
        return db_clock.now() + timedelta(seconds=Conf.RETRY)

    def enqueue(self, task: str) -> int:
        name = self.list_key or Conf.CLUSTER_NAME
        return int(self.get_connection().create(key=name, payload=task, lock=db_clock.now()).pk)

    def queue_size(self) -> int:
        return int(self._mine().filter(lock__lte=db_clock.now()).count())

    def lock_size(self) -> int:
        return int(self._mine().filter(lock__gt=db_clock.now()).count())

    def _mine(self) -> Any:
        return self.get_connection().filter(key=self.list_key)

    def dequeue(self) -> list[tuple[int, str]] | None:
        """None while the database is locked or away too: django-q2 would end the process that
        asks, and whoever watches the cluster would start all of it again."""
        try:
            with busy_timeout(PATIENCE):
                for name in queues_taken(self.list_key):
                    if taken := self._take(name):
                        return taken
            self._note_problem("")
        except Error as error:
            self._note_problem(" ".join(str(error).split()))
        time.sleep(Conf.POLL)
        return None

    def _note_problem(self, problem: str) -> None:
        """Each is logged once."""
        if problem and problem != self._problem:
            logger.warning("Messages cannot be read (%s). It is tried each second.", problem)
        elif self._problem and not problem:
            logger.warning("Messages can be read again.")
        self._problem = problem

    def delete(self, task_id: int) -> None:
        """Until it is done: the process that acknowledges must not end, and what is not removed
        is handed out again."""
        until = time.monotonic() + LONGEST_TRY
        while True:
            try:
                super().delete(task_id)
            except Error as error:
                if time.monotonic() > until:
                    logger.error("Message %s was not removed: %s", task_id, error)
                    return
                time.sleep(Conf.POLL)
            else:
                return

    def _take(self, name: str) -> list[tuple[int, str]]:
        """The oldest message that no other process takes at this moment."""
        messages = self.get_connection()
        waiting = messages.filter(key=name, lock__lt=db_clock.now()).order_by("pk")
        for message in waiting[:CANDIDATES]:
            mine = messages.filter(pk=message.pk, lock=message.lock)
            if mine.update(lock=self.timeout(message)):
                return [(message.pk, message.payload)]
        return []
