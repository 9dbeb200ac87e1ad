"""Reads QUEUE_URL: a queue in the database, in Amazon SQS or in RabbitMQ. Pure.

Problems are phrases that follow the name of the setting. They do not quote the address, because it
may contain a password.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

AMQP_PORT, AMQPS_PORT = 5672, 5671
AMQP_FORM = "amqp://user:password@host/vhost"
NOT_WRITTEN_SO = (
    f"must be like {AMQP_FORM}; in a name or password write # as %23, / as %2F, ? as %3F, [ as %5B"
    " and a space as %20"
)
WRONG_PORT = f"needs a port between 1 and 65535, or {NOT_WRITTEN_SO}"
FORMS = f"sqs://region/name or {AMQP_FORM}"
FILES = ("cacertfile", "certfile", "keyfile")
"""Parameters of an amqps:// address that name files, as RabbitMQ's own addresses call them."""


@dataclass(frozen=True)
class RabbitAddress:
    """Where RabbitMQ is, and how to sign in. Its representation has no password."""

    host: str
    port: int
    vhost: str
    user: str
    password: str = field(repr=False)
    has_tls: bool
    queue: str
    files: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """Host and port, for messages."""
        return f"{self.host}:{self.port}"


def queue_problem(url: str) -> str:
    """Return the problem of QUEUE_URL, or ""."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return WRONG_PORT
    if parts.fragment or any(character.isspace() for character in url):
        return NOT_WRITTEN_SO
    if parts.scheme == "sqs":
        return "" if parts.netloc else f"must be {FORMS}"
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        return f"must be {FORMS}"
    if port == 0:
        return WRONG_PORT
    if "/" in parts.path[1:]:
        return (
            f"has more than a vhost after the host; write / in its name as %2F, as in {AMQP_FORM}"
        )
    return _query_problem(parts.query, has_tls=parts.scheme == "amqps")


def _query_problem(query: str, *, has_tls: bool) -> str:
    known = ("queue", *FILES) if has_tls else ("queue",)
    for name, value in parse_qsl(query, keep_blank_values=True):
        if name not in known:
            return f"has the unknown parameter {name}; known are {', '.join(known)}"
        if name in FILES and not Path(value).is_file():
            return f"names a file that does not exist in {name}"
    return ""


def rabbit_address(url: str, queue: str) -> RabbitAddress:
    """Return the parts of an address without a problem. `queue` is the default name."""
    parts = urlsplit(url)
    has_tls = parts.scheme == "amqps"
    query = dict(parse_qsl(parts.query))
    return RabbitAddress(
        host=parts.hostname or "",
        port=parts.port or (AMQPS_PORT if has_tls else AMQP_PORT),
        vhost=unquote(parts.path[1:]) or "/",
        user=unquote(parts.username or "guest"),
        password=unquote(parts.password or "guest"),
        has_tls=has_tls,
        queue=query.pop("queue", queue),
        files=query,
    )


def broker_settings(url: str, queue: str) -> dict[str, Any]:
    """Return what Q_CLUSTER says about the broker. Raises ValueError with the problem."""
    if not url:
        return {"broker_class": "ainews_site.queue.orm_broker.Database", "orm": "default"}
    if problem := queue_problem(url):
        raise ValueError(problem)
    parts = urlsplit(url)
    if parts.scheme == "sqs":
        return {
            "broker_class": "ainews_site.queue.sqs_broker.Sqs",
            "sqs": {"aws_region": parts.netloc},
            "queue_name": parts.path.strip("/") or queue,
        }
    address = rabbit_address(url, queue)
    return {
        "broker_class": "ainews_site.queue.rabbit_broker.Rabbit",
        "rabbit": address,
        "queue_name": address.queue,
    }
