"""The broker that stores the queue's messages in the database."""

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
"""How many of the oldest messages to try, because other workers may claim them first."""
PATIENCE = 1.0
"""How long one attempt to take a message waits for SQLite's lock, in seconds."""
DELETE_SECONDS = 600.0
"""How long to retry deleting a message. If it stays, its task is run again."""

logger = logging.getLogger(__name__)


def queues_taken(name: str) -> list[str]:
    """Return the queues that the cluster `name` takes messages from.

    This is its own queue if it was started for one (Q_CLUSTER_NAME), else both.
    """
    return [name] if os.environ.get("Q_CLUSTER_NAME") or name != FAST else [FAST, SLOW]


class Database(ORM):  # type: ignore[misc]
    """django-q2's broker for two queues, which doesn't pause after losing a race for a message.

    It uses the clock of the database. With clocks of their own, a machine could take a task that
    another one is running for one that was abandoned.
    """

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
        """Return one message, or None if there is none or the database is locked or down.

        An exception would end the process, and the supervisor would restart the whole cluster.
        """
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
        """Log each problem once, and the recovery."""
        if problem and problem != self._problem:
            logger.warning("Messages cannot be read (%s). Retrying each second.", problem)
        elif self._problem and not problem:
            logger.warning("Messages can be read again.")
        self._problem = problem

    def delete(self, task_id: int) -> None:
        """Delete a message, and retry while the database fails.

        An exception would end the process, and a message that stays is handed out again.
        """
        until = time.monotonic() + DELETE_SECONDS
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
        """Claim the oldest message that no other process claims at the same time."""
        messages = self.get_connection()
        waiting = messages.filter(key=name, lock__lt=db_clock.now()).order_by("pk")
        for message in waiting[:CANDIDATES]:
            mine = messages.filter(pk=message.pk, lock=message.lock)
            if mine.update(lock=self.timeout(message)):
                return [(message.pk, message.payload)]
        return []
