"""Messages in Amazon's SQS, for many machines. boto3 reads keys and roles from AWS_*."""

import os
from typing import Any

from botocore.exceptions import ClientError
from django.conf import settings
from django_q.brokers.aws_sqs import Sqs as Plain
from django_q.conf import Conf

from ainews_site.queue.config import FAST
from ainews_site.queue.orm_broker import queues_taken

WAIT, SHORT_WAIT = 5, 1
"""Seconds that SQS may hold an empty answer back; a worker stops no sooner than that."""
MISSING = ("AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist")


class Sqs(Plain):  # type: ignore[misc]
    """django-q2's broker, for two queues, and with a connection for each process.

    The cluster forks after its first request: a connection that parent and child share
    would mix up their answers.
    """

    def __init__(self, list_key: str | None = None) -> None:
        self._opened = 0
        self._queues: dict[str, Any] = {}
        super().__init__(list_key)

    def get_queue(self) -> Any:
        """Ours, opened when it is used; see `queue`."""
        return None

    @property
    def queue(self) -> Any:
        return self._open(self.list_key)

    @queue.setter
    def queue(self, _: Any) -> None:
        """Set by the parent class, which keeps one for all processes."""

    def _open(self, name: str) -> Any:
        if self._opened != os.getpid():
            self.connection = self.get_connection()
            self.sqs = self.connection.resource("sqs")
            self._opened, self._queues = os.getpid(), {}
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
                return [((queue.url, one.receipt_handle), one.body) for one in messages]
        return None

    def queue_size(self) -> int:
        self.queue.reload()
        return super().queue_size()  # type: ignore[no-any-return]

    def delete(self, task_id: tuple[str, str]) -> None:
        self._open(self.list_key)
        self.sqs.Message(*task_id).delete()


def queue_name(cluster: str) -> str:
    """`news` and `news-slow` of sqs://region/news."""
    name: str = settings.Q_CLUSTER["queue_name"]
    return name if cluster == FAST else f"{name}-{cluster}"
