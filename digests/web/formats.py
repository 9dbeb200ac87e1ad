"""Formats values for the templates of the digest."""

from datetime import date
from typing import Any

from accounts.models import User
from digests.channels import describe
from digests.models import Channel, Delivery


def writer(written_by: str) -> str:
    """Describe `Digest.written_by`: "extracted from the sources", "written by gpt-5" or both."""
    models = written_by.removesuffix("extractive").removesuffix(" and ")
    if not models:
        return "extracted from the sources"
    partly = ", partly extracted from the sources" if written_by != models else ""
    return f"written by {models}{partly}"


def other_reasons(reasons: str) -> str:
    """The reasons without the number of sources, which the coverage strip has too."""
    return " · ".join(part for part in reasons.split(" · ") if not part.endswith(" sources"))


def as_day(iso: str) -> date | None:
    """Parse the ISO date that an edition stores as text; None if it is not a date."""
    try:
        return date.fromisoformat(iso)
    except (TypeError, ValueError):
        return None


def updates(stories: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The stories that update an earlier edition, each with its `number` in this edition."""
    numbered = [story | {"number": n} for n, story in enumerate(stories, 1)]
    return [story for story in numbered if story.get("before")]


def web(url: str) -> str:
    """Return the URL if it is HTTP or HTTPS, else ""."""
    return url if url.lower().startswith(("http://", "https://")) else ""


def channel_problems(user: User) -> list[dict[str, str]]:
    """The problems of the reader's channels, in two queries: [{channel, text}]."""
    own = Channel.objects.filter(user=user)
    problems = [
        {"channel": describe(channel), "text": channel.reason}
        for channel in own.filter(state=Channel.State.DISABLED).exclude(reason="")
    ]
    failing = Delivery.objects.filter(channel__in=own, state=Delivery.State.WAITING, attempts__gt=0)
    waiting = failing.select_related("channel").order_by("pk")
    return problems + [
        {"channel": describe(delivery.channel), "text": f"{delivery.error} It will be retried."}
        for delivery in waiting
    ]
