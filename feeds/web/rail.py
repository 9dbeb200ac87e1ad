"""What stands around the pages: the number of unread items in the bar, and the strongest trends."""

from dataclasses import astuple
from functools import lru_cache
from typing import Any

from django.template import engines
from django.urls import get_script_prefix
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe

from accounts.models import User
from ainews_site.infra.memo import cached
from ainews_site.infra.process_state import resets_process_state
from feeds.coordination.revisions import News
from feeds.reading.unread import unread_counts
from feeds.trends.board import trends_for
from feeds.trends.types import Trend

MAX_TRENDS = 4
FRESH = 60
"""Lifetime of the cached trends in seconds. The worker finds trends once an hour."""
MAX_CACHED = 200
"""Rendered lists of trends in the cache. Most readers have the same."""
Row = tuple[Any, ...]
"""A Trend as a plain tuple."""


def river_unread(user: User, news: News | None = None) -> int:
    """All unread items of the reader. `news` is the current state, if it was read before."""
    return sum(unread_counts(user, news).values())


def rail_trends(user: User) -> SafeString | str:
    """The block with the strongest trends among the reader's sources, "" without any. The trends
    are cached."""
    rows: tuple[Row, ...] = cached(
        f"rail-of-trends-{user.pk}",
        lambda: tuple(astuple(trend) for trend in trends_for(user, timezone.now(), MAX_TRENDS)),
        fresh=FRESH,
        local_for=FRESH,
        claim=False,
    )
    return _rendered(rows, get_script_prefix()) if rows else ""


@lru_cache(MAX_CACHED)
def _rendered(rows: tuple[Row, ...], prefix: str) -> SafeString:
    """Render the block. `prefix` begins all addresses."""
    template = engines["jinja2"].env.get_template("feeds/rail_trends.html")  # type: ignore[attr-defined]
    text = template.render(trends=[Trend(*row) for row in rows])
    return mark_safe(str(text))  # noqa: S308 - rendered by a template


resets_process_state(_rendered.cache_clear)
