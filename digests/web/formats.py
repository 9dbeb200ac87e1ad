"""Formats values for the templates of the digest, and reads what stands beside other pages."""

from datetime import date, timedelta
from typing import Any

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.memo import cached
from digests.channels import describe
from digests.editions.window import reader_today
from digests.models import Channel, Delivery, Digest

WEEK = timedelta(days=7)
FRESH = 60
"""Lifetime of the cached edition in seconds. Until then, an edition that was deleted is shown."""


def writer(written_by: str) -> str:
    """Describe `Digest.written_by`: "extracted from the sources", "written by gpt-5" or both."""
    models = written_by.removesuffix("extractive").removesuffix(" and ")
    if not models:
        return "extracted from the sources"
    partly = ", partly extracted from the sources" if written_by != models else ""
    return f"written by {models}{partly}"


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


def rail_edition(user: User) -> dict[str, Any] | None:
    """The newest edition of the past week that has stories: {is_today, date, stories}.

    It has the headlines of the first five stories. A day without news shows the edition before it.
    It is cached until the reader's cache version changes, as it does with a new edition.
    """
    day = reader_today(user.time_zone, timezone.now())
    state = (user.version, day)
    known, edition = cached(
        f"rail-edition-{user.pk}",
        lambda: (state, _newest_edition(user, day)),
        fresh=FRESH,
        validator=state,
    )
    # Another request may be reading the new one.
    return edition if known == state else _newest_edition(user, day)


def _newest_edition(user: User, day: date) -> dict[str, Any] | None:
    recent = Digest.objects.filter(user=user, date__gt=day - WEEK, date__lte=day)
    digest = recent.exclude(content__stories=[]).first()
    if digest is None:
        return None
    stories = [{"headline": story["headline"]} for story in digest.content["stories"][:5]]
    return {"is_today": digest.date == day, "date": digest.date, "stories": stories}


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
