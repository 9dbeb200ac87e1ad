"""Prepare an edition for a channel, and hand back what sends it."""

from collections.abc import Callable

from django.conf import settings

from digests.channels import discord, mattermost, slack
from digests.channels.facts import as_json, facts_of
from digests.channels.mail import edition_letter, send_letter
from digests.channels.posting import chat_request, post_to, webhook_request
from digests.errors import DeliveryError
from digests.models import Channel, Digest

Send = Callable[[], None]
CHATS = {
    Channel.Kind.SLACK: slack.message_of,
    Channel.Kind.DISCORD: discord.message_of,
    Channel.Kind.MATTERMOST: mattermost.message_of,
}


def prepare(channel: Channel, digest: Digest, delivery_id: str) -> Send:
    """All that can be done before anything leaves. Raises DeliveryError.

    `delivery_id` stays the same when it is tried again.
    """
    if channel.kind == Channel.Kind.EMAIL:
        if problem := mail_problem():
            raise DeliveryError(problem)
        letter = edition_letter(channel, digest, delivery_id)
        return lambda: send_letter(letter)
    facts = facts_of(digest)
    if channel.kind == Channel.Kind.WEBHOOK:
        request = webhook_request(channel.key, "digest", as_json(facts, digest), delivery_id)
    else:
        request = chat_request(CHATS[Channel.Kind(channel.kind)](facts))
    return lambda: post_to(channel.target, request)


def prepare_test(channel: Channel) -> Send:
    """The same for a short greeting, by the ways that post."""
    said = "A test from AI News. Your digest will be delivered here."
    if channel.kind == Channel.Kind.WEBHOOK:
        request = webhook_request(channel.key, "test", {"text": said}, f"test-{channel.pk}")
    else:
        plain = {"text": said}
        if channel.kind == Channel.Kind.DISCORD:
            plain = discord.plain(said)
        request = chat_request(plain)
    return lambda: post_to(channel.target, request)


def mail_problem(*, for_staff: bool = False) -> str:
    """Why e-mail cannot be sent, or "". Only staff are told which settings are missing."""
    lacking = [name for name in ("EMAIL_URL", "EMAIL_FROM", "SITE_URL") if not _is_set(name)]
    if not lacking:
        return ""
    missing = f" Set {' and '.join(lacking)}." if for_staff else ""
    return f"E-mail isn't set up on this server.{missing}"


def _is_set(name: str) -> bool:
    return bool(getattr(settings, name))
