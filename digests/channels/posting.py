"""Post to a webhook, signed where a program is to check it, and read what its status means."""

import base64
import hashlib
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings

from digests.errors import DeliveryError
from feeds.ingest.errors import BlockedAddressError, FetchError, UnansweredError
from feeds.ingest.guard import Guard
from feeds.ingest.transport import Posted, post

GONE = (401, 403, 404, 410)
AGAIN = (408, 425, 429)


@dataclass(frozen=True, slots=True)
class Request:
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)


def chat_request(message: dict[str, Any]) -> Request:
    return Request(json.dumps(message).encode(), {"Content-Type": "application/json"})


def webhook_request(key: str, event: str, data: dict[str, Any], delivery_id: str) -> Request:
    """As Standard Webhooks has it: `v1,` and the base64 of HMAC-SHA256 over id, time and body,
    joined by full stops; the key is what follows `whsec_`, in base64."""
    body = json.dumps({"type": event, "data": data}).encode()
    moment = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": delivery_id,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{signature(key, delivery_id, moment, body)}",
    }
    return Request(body, headers)


def signature(key: str, delivery_id: str, moment: str, body: bytes) -> str:
    signed = f"{delivery_id}.{moment}.".encode() + body
    return base64.b64encode(hmac.digest(key.encode(), signed, hashlib.sha256)).decode()


def shown_secret(key: str) -> str:
    """The key as receivers' libraries want it."""
    return "whsec_" + base64.b64encode(key.encode()).decode()


def guard() -> Guard:
    return Guard.of(settings.FETCH_ALLOW_PRIVATE, settings.FETCH_PORTS)


def post_to(url: str, request: Request) -> None:
    """Raises DeliveryError, in words, unless it was taken."""
    headers = {"User-Agent": "AINews/1.0", "Accept": "*/*"} | request.headers
    try:
        answer = post(url, request.body, headers, guard(), timeout=settings.FETCH_TIMEOUT)
    except UnansweredError as error:
        raise DeliveryError(str(error), may_have_arrived=True) from None
    except BlockedAddressError as error:
        raise DeliveryError(str(error), is_final=True) from None
    except FetchError as error:
        raise DeliveryError(str(error)) from None
    if not 200 <= answer.status < 300:
        raise _refused(answer)


def _refused(answer: Posted) -> DeliveryError:
    status = answer.status
    if status in GONE:
        said = f"The webhook no longer exists ({status}). Create a new one at the service."
        return DeliveryError(said, is_gone=True)
    if 300 <= status < 400:
        said = f"The address redirects elsewhere ({status}). Enter the new address here."
        return DeliveryError(said, is_final=True)
    if status in AGAIN or status >= 500:
        said = f"The service asked to try again later ({status})."
        said = said if status in AGAIN else f"The service reported an error ({status})."
        return DeliveryError(said, retry_after=answer.retry_after)
    return DeliveryError(f"The service rejected the message ({status}).", is_final=True)
