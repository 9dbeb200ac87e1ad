"""Generic webhooks: editions as JSON, signed as specified by Standard Webhooks."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

from digests.channels.facts import as_json, facts_of
from digests.channels.posting import TEST, PostedKind, Request
from digests.models import Channel, Digest


class Webhook(PostedKind):
    name, label = "webhook", "Webhook (JSON)"
    detects_repeats = True
    renewal_label = "New secret"

    def secret(self, channel: Channel) -> str:
        """The key in the format that Standard Webhooks libraries expect."""
        return "whsec_" + base64.b64encode(channel.key.encode()).decode()

    def request(self, channel: Channel, digest: Digest, delivery_id: str) -> Request:
        return signed(channel.key, "digest", as_json(facts_of(digest), digest), delivery_id)

    def test_request(self, channel: Channel) -> Request:
        return signed(channel.key, "test", {"text": TEST}, f"test-{channel.pk}")


KIND = Webhook()


def signed(key: str, event: str, data: dict[str, Any], delivery_id: str) -> Request:
    """Return a signed request. `event` is its type, `delivery_id` its id.

    The signature is `v1,` and the base64 of an HMAC-SHA256 of id, time and body, joined by full
    stops. The key is what follows `whsec_` in the secret, decoded from base64.
    """
    body = json.dumps({"type": event, "data": data}).encode()
    timestamp = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": f"v1,{signature(key, delivery_id, timestamp, body)}",
    }
    return Request(body, headers)


def signature(key: str, delivery_id: str, timestamp: str, body: bytes) -> str:
    content = f"{delivery_id}.{timestamp}.".encode() + body
    return base64.b64encode(hmac.digest(key.encode(), content, hashlib.sha256)).decode()
