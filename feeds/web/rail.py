"""What stands beside the pages: the strongest trends."""

from dataclasses import astuple

from django.utils import timezone

from accounts.models import User
from ainews_site.infra.memo import cached
from feeds.trends.board import trends_for
from feeds.trends.types import Trend

MAX_TRENDS = 4
FRESH = 60
"""Lifetime of the cached trends in seconds. The worker finds trends once an hour."""


def rail_trends(user: User) -> list[Trend]:
    """The strongest trends among the reader's sources. They are cached."""
    rows = cached(
        f"rail-trends-{user.pk}",
        lambda: [astuple(trend) for trend in trends_for(user, timezone.now(), MAX_TRENDS)],
        fresh=FRESH,
    )
    return [Trend(*row) for row in rows]
