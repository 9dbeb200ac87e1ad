"""Absolute URLs for messages, and URLs with a token that need no session."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import constant_time_compare, salted_hmac

from digests.models import Channel, Digest

FEED, UNSUBSCRIBE, CONFIRM = "feed", "unsubscribe", "confirm"


def absolute(name: str, **arguments: Any) -> str:
    """The absolute URL of a view; "" if SITE_URL is not set."""
    return settings.SITE_URL + reverse(name, kwargs=arguments) if settings.SITE_URL else ""


def absolute_for(request: HttpRequest, path: str) -> str:
    """The absolute URL of `path`: below SITE_URL if set, else below the host of the request."""
    return settings.SITE_URL + path if settings.SITE_URL else request.build_absolute_uri(path)


def digest_path(digest: Digest) -> str:
    name = "digest_global_day" if digest.is_global else "digest_day"
    return reverse(name, kwargs={"day": digest.date})


def token_for(channel: Channel, purpose: str) -> str:
    """A token for one purpose (FEED, UNSUBSCRIBE or CONFIRM). Changing the channel's key revokes
    it."""
    return f"{channel.pk}-{_signature(channel, purpose)}"


def channel_by_token(token: str, purpose: str) -> Channel | None:
    """The channel of a valid token, or None. Tokens of inactive users are not valid."""
    number, _, signature = token.partition("-")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    own = Channel.objects.select_related("user").filter(pk=int(number), user__is_active=True)
    channel = own.first()
    if channel is None or not constant_time_compare(signature, _signature(channel, purpose)):
        return None
    return channel


def _signature(channel: Channel, purpose: str) -> str:
    value = f"{channel.pk}:{channel.key}"
    return salted_hmac(f"digests.links.{purpose}", value, algorithm="sha256").hexdigest()[:40]
