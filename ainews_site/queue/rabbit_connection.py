"""Connections to RabbitMQ: one for each thread of each process, replaced when it may be dead."""

import os
import re
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

import pika
from pika.adapters.blocking_connection import BlockingChannel
from pika.exceptions import AMQPError

from ainews_site.config.queue_url import RabbitAddress

Result = TypeVar("Result")
ERRORS = (AMQPError, OSError)
"""What pika raises if the broker can't be reached, refuses, or ends a connection."""
HEARTBEAT = 60
TRUSTED_SECONDS = 20.0
"""A connection that was idle for longer is replaced: the broker, or a load balancer before it, may
have closed it."""
BROKER_REASON = re.compile(r"^.*ConnectionClosedByBroker: \(\d+\) '[A-Z_]+ - (.+?)\.?'.*$")
"""What RabbitMQ says when it refuses a password or a vhost, within what pika says."""
_local = threading.local()


class Link:
    """A connection with two channels: `channel` has transactions, `confirmed` confirms messages."""

    def __init__(self, address: RabbitAddress) -> None:
        self._pid, self.used_at = os.getpid(), time.monotonic()
        self.connection = pika.BlockingConnection(_parameters(address))
        self.channel: BlockingChannel = self.connection.channel()
        self.channel.tx_select()
        self.confirmed: BlockingChannel = self.connection.channel()
        self.confirmed.confirm_delivery()
        self.queues: set[str] = set()
        """The queues that this connection has declared."""

    def is_usable(self) -> bool:
        """Return False in a forked process, whose parent uses the socket, and after a pause."""
        is_fresh = time.monotonic() - self.used_at < TRUSTED_SECONDS
        return self._pid == os.getpid() and is_fresh and self.connection.is_open

    def close(self) -> None:
        if self._pid == os.getpid():
            with suppress(*ERRORS):
                self.connection.close()

    def __del__(self) -> None:
        # A web server's thread has ended.
        with suppress(Exception):
            self.close()


def with_channel(address: RabbitAddress, do: Callable[[Link], Result]) -> Result:
    """Return `do(link)` with the connection of this thread, and retry once with a new one.

    A restarted broker has closed all connections, which shows only when one is used.
    """
    link: Link | None = getattr(_local, "link", None)
    if link is not None and link.is_usable():
        with suppress(*ERRORS):
            return _use(link, do)
    forget()
    _local.link = Link(address)
    try:
        return _use(_local.link, do)
    except ERRORS:
        forget()
        raise


def _use(link: Link, do: Callable[[Link], Result]) -> Result:
    result = do(link)
    link.used_at = time.monotonic()
    return result


def forget() -> None:
    """Close the connection of this thread."""
    link: Link | None = getattr(_local, "link", None)
    if link is not None:
        _local.link = None
        link.close()


def _parameters(address: RabbitAddress) -> pika.ConnectionParameters:
    return pika.ConnectionParameters(
        host=address.host,
        port=address.port,
        virtual_host=address.vhost,
        credentials=pika.PlainCredentials(address.user, address.password, erase_on_connect=True),
        ssl_options=pika.SSLOptions(_tls(address), address.host) if address.has_tls else None,
        heartbeat=HEARTBEAT,
        socket_timeout=5,
        stack_timeout=10,
        blocked_connection_timeout=10,
        client_properties={"connection_name": f"ainews {os.getpid()}"},
    )


def _tls(address: RabbitAddress) -> ssl.SSLContext:
    """Return a context that verifies the broker's certificate and its name."""
    context = ssl.create_default_context(cafile=address.files.get("cacertfile"))
    if certificate := address.files.get("certfile"):
        context.load_cert_chain(certificate, address.files.get("keyfile"))
    return context


def in_words(error: BaseException) -> str:
    """Return why RabbitMQ can't be used, without the names of pika's classes."""
    while isinstance(cause := getattr(error, "exception", (*error.args, None)[0]), BaseException):
        error = cause
    reason = getattr(error, "reply_text", "") or getattr(error, "strerror", "") or str(error)
    return BROKER_REASON.sub(r"\1", " ".join(str(reason).split())) or type(error).__name__
