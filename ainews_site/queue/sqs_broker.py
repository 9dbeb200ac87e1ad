"""The broker that stores messages in Amazon SQS. boto3 reads the credentials from AWS_*."""

import os
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings
from django_q.brokers.aws_sqs import Sqs as BaseSqs
from django_q.conf import Conf

from ainews_site.queue.config import FAST
from ainews_site.queue.orm_broker import queues_taken

WAIT, SHORT_WAIT = 5, 1
"""Seconds that SQS waits for a message, with one queue and with two. A worker that stops waits for
it."""
MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class Sqs(BaseSqs):  # type: ignore[misc]
    """django-q2's broker for two queues, with a connection for each process.

    The cluster forks after its first request. If parent and child shared a connection, they would
    get each other's responses.
    """

    def __init__(self, list_key: str | None = None) -> None:
        self._pid = 0
        self._queues: dict[str, Any] = {}
        super().__init__(list_key)

    def get_queue(self) -> Any:
        """Return None: the queue is opened when `queue` is first used."""
        return None

    @property
    def queue(self) -> Any:
        return self._open(self.list_key)

    @queue.setter
    def queue(self, _: Any) -> None:
        """Ignore the value that the base class sets, which all processes would share."""

    def _open(self, name: str) -> Any:
        if self._pid != os.getpid():
            self.connection = self.get_connection()
            self.sqs = self.connection.resource("sqs")
            self._pid, self._queues = os.getpid(), {}
        if name not in self._queues:
            self._queues[name] = self._find(queue_name(name))
        return self._queues[name]

    def _find(self, name: str) -> Any:
        try:
            return self.sqs.get_queue_by_name(QueueName=name)
        except ClientError as error:
            if error.response["Error"]["Code"] not in MISSING:
                raise
        return self.sqs.create_queue(QueueName=name)

    def dequeue(self) -> list[tuple[tuple[str, str], str]] | None:
        names = queues_taken(self.list_key)
        for name in names:
            queue = self._open(name)
            messages = queue.receive_messages(
                MaxNumberOfMessages=1,
                VisibilityTimeout=Conf.RETRY,
                WaitTimeSeconds=WAIT if len(names) == 1 else SHORT_WAIT,
            )
            if messages:
                return [((queue.url, message.receipt_handle), message.body) for message in messages]
        return None

    def queue_size(self) -> int:
        self.queue.reload()
        return super().queue_size()  # type: ignore[no-any-return]

    def delete(self, task_id: tuple[str, str]) -> None:
        self._open(self.list_key)
        self.sqs.Message(*task_id).delete()


def queue_name(cluster: str) -> str:
    """Return the name in SQS: `news` or `news-slow` for sqs://region/news."""
    name: str = settings.Q_CLUSTER["queue_name"]
    return name if cluster == FAST else f"{name}-{cluster}"
