"""Draws the coverage strip: the life of a story on a line, a dot for each article.

The line begins at the first article and ends now. It shows at a glance how many articles there
are, how fast they came, who was first, and whether the story goes on.
"""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlsplit

from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from feeds.models import Item
from feeds.web.formats import short_age

WIDTH, HEIGHT, MARGIN = 96, 12, 4
"""Dimensions of the drawing in CSS pixels."""
MAX_DOTS = 24
"""Of a larger story, so many articles are drawn, spread evenly over all."""
DISCUSSIONS = frozenset(
    ("news.ycombinator.com", "lobste.rs", "www.reddit.com", "reddit.com", "old.reddit.com")
)
"""Hosts whose pages discuss an article rather than report. Their dots are hollow."""


def coverage_strip(items: Sequence[Item]) -> SafeString:
    """Draw the articles of a story. Returns "" if it has fewer than two."""
    if len(items) < 2:
        return SafeString("")
    ordered = sorted(items, key=lambda item: item.published_at)
    begin, now = ordered[0].published_at, timezone.now()
    length = max((now - begin).total_seconds(), 3600.0)
    solid: list[int] = []
    hollow: list[int] = []
    for item in _spread(ordered[1:]):
        x = _position(item.published_at, begin, length)
        (hollow if _is_discussion(item) else solid).append(x)
    drawn = "".join(f"M{x} 6h0" for x in solid)
    rings = "".join(f'<circle cx="{x}" cy="6" r="2"/>' for x in hollow)
    return mark_safe(  # noqa: S308 - numbers, and text that is escaped
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(describe(ordered))}"><path class="strip-line" d="M0 6h{WIDTH}"/>'
        f'<path class="strip-dots" d="{drawn}"/>{rings}'
        f'<path class="strip-first" d="M{MARGIN} 6h0"/></svg>'
    )


def describe(ordered: Sequence[Item]) -> str:
    """Say in a sentence what the strip of these articles, oldest first, shows."""
    first, newest = ordered[0], ordered[-1]
    return (
        f"{len(ordered)} articles. First: {first.source}, {_ago(first)}."
        f" Latest: {newest.source}, {_ago(newest)}."
    )


def _ago(item: Item) -> str:
    return short_age(timezone.localtime(item.published_at))


def _position(moment: datetime, begin: datetime, length: float) -> int:
    share = min((moment - begin).total_seconds() / length, 1.0)
    return MARGIN + round(share * (WIDTH - 2 * MARGIN))


def _spread(items: Sequence[Item]) -> Sequence[Item]:
    if len(items) <= MAX_DOTS:
        return items
    step = (len(items) - 1) / (MAX_DOTS - 1)
    return [items[round(number * step)] for number in range(MAX_DOTS)]


def _is_discussion(item: Item) -> bool:
    try:
        return urlsplit(item.url).hostname in DISCUSSIONS
    except ValueError:
        return False
