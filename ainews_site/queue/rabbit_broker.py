"""The broker that stores messages in RabbitMQ.

In AMQP only the channel that received a message can acknowledge it. In django-q2 one process
receives messages and another acknowledges them, and RabbitMQ would deliver the message of a running
task again as soon as a connection breaks. So a message that is taken moves, in one transaction, to
a queue of its own, its lease. The lease is deleted when the task is done. If nobody does that, its
message expires and RabbitMQ moves it back.
"""

import logging
import time
import uuid
from functools import partial
from typing import Any

import pika
from django.conf import settings
from django_q.brokers import Broker
from django_q.conf import Conf

from ainews_site.config.queue_url import RabbitAddress
from ainews_site.queue.config import FAST
from ainews_site.queue.orm_broker import queues_taken
from ainews_site.queue.rabbit_connection import ERRORS, Link, forget, in_words, with_channel

SPARE_SECONDS = 300
"""How long an empty lease lives after its message has expired."""
DELETE_SECONDS = 600.0
"""How long to retry deleting a lease. If it stays, its task is run again."""
KEPT_ON_DISK = pika.BasicProperties(delivery_mode=2)

logger = logging.getLogger(__name__)


class Rabbit(Broker):  # type: ignore[misc]
    """django-q2's broker for two durable queues of RabbitMQ, with leases as in the database."""

    _problem = ""

    def enqueue(self, task: str) -> str:
        """Store a message. It is on the broker's disk when this returns."""
        name = queue_name(self.list_key)

        def publish(link: Link) -> None:
            _declared(link, name)
            # `mandatory` makes it an error if the queue was deleted meanwhile.
            link.confirmed.basic_publish("", name, task.encode(), KEPT_ON_DISK, mandatory=True)

        with_channel(address(), publish)
        return name

    def dequeue(self) -> list[tuple[str, str]] | None:
        """Return one message, or None if there is none or RabbitMQ does not answer.

        An exception would end the process, and the supervisor would restart the whole cluster.
        """
        try:
            for cluster in queues_taken(self.list_key):
                name = queue_name(cluster)
                if taken := with_channel(address(), partial(_take, name=name)):
                    return [taken]
            self._note_problem("")
        except ERRORS as error:
            self._note_problem(in_words(error))
        time.sleep(Conf.POLL)
        return None

    def _note_problem(self, problem: str) -> None:
        """Log each problem once, and the recovery."""
        if problem and problem != self._problem:
            logger.warning("RabbitMQ does not answer (%s). Retrying each second.", problem)
        elif self._problem and not problem:
            logger.warning("RabbitMQ answers again.")
        self._problem = problem

    def queue_size(self) -> int:
        """Return the number of messages that wait. Those being worked on are not counted."""
        name = queue_name(self.list_key)

        def count(link: Link) -> int:
            _declared(link, name)
            answer = link.channel.queue_declare(name, passive=True)
            return int(answer.method.message_count)

        return with_channel(address(), count)

    def lock_size(self) -> int:
        """Return 0: AMQP can't list the leases."""
        return 0

    def acknowledge(self, task_id: str) -> None:
        self.delete(task_id)

    def fail(self, task_id: str) -> None:
        self.delete(task_id)

    def delete(self, task_id: str) -> None:
        """Delete a lease, and retry while RabbitMQ fails.

        An exception would end the process, and a lease that stays is handed out again.
        """
        until = time.monotonic() + DELETE_SECONDS
        while True:
            try:
                with_channel(address(), lambda link: link.channel.queue_delete(task_id))
            except ERRORS as error:
                if time.monotonic() > until:
                    logger.error("Message %s was not removed: %s", task_id, in_words(error))
                    return
                time.sleep(Conf.POLL)
            else:
                return

    def delete_queue(self) -> None:
        with_channel(address(), lambda link: link.channel.queue_delete(queue_name(self.list_key)))
        forget()  # the next connection declares the queue again

    def purge_queue(self) -> None:
        with_channel(address(), lambda link: link.channel.queue_purge(queue_name(self.list_key)))

    def ping(self) -> bool:
        return not connection_problem()

    def info(self) -> str:
        return "RabbitMQ"


def _declared(link: Link, name: str) -> str:
    """Create the durable queue if it does not exist. Returns its name."""
    if name not in link.queues:
        link.channel.queue_declare(name, durable=True)
        link.queues.add(name)
    return name


def _take(link: Link, name: str) -> tuple[str, str] | None:
    """Move the oldest message to a lease. If the process dies before the commit, it stays."""
    method, _, body = link.channel.basic_get(_declared(link, name))
    if method is None:
        return None
    lease = _new_lease(link, name)
    link.channel.basic_ack(method.delivery_tag)
    link.channel.basic_publish("", lease, body, KEPT_ON_DISK)
    link.channel.tx_commit()
    return lease, body.decode()


def _new_lease(link: Link, name: str) -> str:
    """Create the queue of one message, which returns to the queue `name` when its time is over."""
    lease = f"{name}.lease.{uuid.uuid4().hex}"
    arguments: dict[str, Any] = {
        "x-message-ttl": Conf.RETRY * 1000,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": name,
        # Longer than the message lives, because a queue that expires drops its messages.
        "x-expires": (Conf.RETRY + SPARE_SECONDS) * 1000,
    }
    link.channel.queue_declare(lease, durable=True, arguments=arguments)
    return lease


def connection_problem() -> str:
    """Return why RabbitMQ can't be used, with what to do, or ""."""
    try:
        with_channel(address(), lambda link: link.connection.process_data_events())
    except ERRORS as error:
        return f"RabbitMQ at {address().place} can't be used ({in_words(error)}); check QUEUE_URL."
    return ""


def address() -> RabbitAddress:
    rabbit: RabbitAddress = settings.Q_CLUSTER["rabbit"]
    return rabbit


def queue_name(cluster: str) -> str:
    """Return the name in RabbitMQ: `ainews` or `ainews-slow`, or as `?queue=` in QUEUE_URL says."""
    name: str = settings.Q_CLUSTER["queue_name"]
    return name if cluster == FAST else f"{name}-{cluster}"
