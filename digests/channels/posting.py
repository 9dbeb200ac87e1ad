"""Base classes of the channels that post to a webhook, and the meaning of its responses."""

import json
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError

from digests.channels.errors import DeliveryError
from digests.channels.facts import facts_of
from digests.channels.kind import ChannelKind, Newest, Send
from digests.channels.message import EditionFacts
from digests.models import Channel, Digest
from feeds.core.errors import BlockedAddressError, FeedError, FetchError, UnansweredError
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fetch.transport import Posted, post

GONE = (401, 403, 404, 410)
"""Status codes for a webhook that was deleted."""
RETRY = (408, 425, 429)
"""Status codes that ask for a retry."""
TEST = "A test from AI News. Your digest will be delivered here."


@dataclass(frozen=True, slots=True)
class Request:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def json_request(message: dict[str, Any]) -> Request:
    return Request(json.dumps(message).encode(), {"Content-Type": "application/json"})


class PostedKind(ChannelKind):
    """A channel that posts to a webhook. The guard of feeds checks its address."""

    def clean_target(self, target: str) -> str:
        try:
            guard().check_url(target)
        except FeedError as error:
            raise ValidationError(str(error)) from None
        return target

    def shown_target(self, channel: Channel) -> str:
        """Show the host and the last characters only, because the address is a secret."""
        host = channel.target.partition("://")[2].partition("/")[0].rpartition("@")[2]
        return f"{host}/…{channel.target[-4:]}"

    def request(self, channel: Channel, digest: Digest, delivery_id: str) -> Request:
        raise NotImplementedError

    def test_request(self, channel: Channel) -> Request:
        raise NotImplementedError

    def prepare(self, channel: Channel, digest: Digest, delivery_id: str) -> Send:
        request = self.request(channel, digest, delivery_id)
        return lambda: post_to(channel.target, request)

    def prepare_test(self, channel: Channel, newest: Newest) -> Send:
        request = self.test_request(channel)
        return lambda: post_to(channel.target, request)


class ChatKind(PostedKind):
    """A chat whose incoming webhook accepts a message as JSON."""

    def message(self, edition: EditionFacts) -> dict[str, Any]:
        raise NotImplementedError

    def plain(self, text: str) -> dict[str, Any]:
        """The JSON of a short message that needs no escaping."""
        return {"text": text}

    def request(self, channel: Channel, digest: Digest, delivery_id: str) -> Request:
        return json_request(self.message(facts_of(digest)))

    def test_request(self, channel: Channel) -> Request:
        return json_request(self.plain(TEST))


def guard() -> Guard:
    return Guard.of(settings.FETCH_ALLOW_PRIVATE, settings.FETCH_PORTS)


def post_to(url: str, request: Request) -> None:
    """Post a request. Raises DeliveryError unless the service accepted it."""
    headers = {"User-Agent": "AINews/1.0", "Accept": "*/*"} | request.headers
    try:
        response = post(url, request.body, headers, guard(), timeout=settings.FETCH_TIMEOUT)
    except UnansweredError as error:
        raise DeliveryError(str(error), may_have_arrived=True) from None
    except BlockedAddressError as error:
        raise DeliveryError(str(error), is_final=True) from None
    except FetchError as error:
        raise DeliveryError(str(error)) from None
    if not 200 <= response.status < 300:
        raise _error_of(response)


def _error_of(response: Posted) -> DeliveryError:
    status = response.status
    if status in GONE:
        message = f"The webhook no longer exists ({status}). Create a new one at the service."
        return DeliveryError(message, is_gone=True)
    if 300 <= status < 400:
        message = f"The address redirects elsewhere ({status}). Enter the new address here."
        return DeliveryError(message, is_final=True)
    if status in RETRY or status >= 500:
        message = f"The service asked to try again later ({status})."
        message = message if status in RETRY else f"The service reported an error ({status})."
        return DeliveryError(message, retry_after=response.retry_after)
    return DeliveryError(f"The service rejected the message ({status}).", is_final=True)
