"""Draws the coverage strip: the life of a story on a line, a dot for each article.

The line begins at the first article and ends now. It shows at a glance how many articles there
are, how fast they came, who was first, and whether the story goes on. The dots of copies are
small, those of discussions, such as on Hacker News, are hollow.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from django.utils import timezone
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from feeds.stories.members import Dot
from feeds.web.formats import short_age

WIDTH, HEIGHT, MARGIN = 96, 12, 4
"""Dimensions of the drawing in CSS pixels."""


def coverage_strip(
    dots: Sequence[Dot], count: int, names: Mapping[int, str], discussions: Collection[int] = ()
) -> SafeString:
    """Draw the articles of a story, oldest first. Returns "" if there are fewer than two.

    `count` is the number of all its articles, `names` are the names of sources by their ids,
    `discussions` the ids of discussion sites.
    """
    if len(dots) < 2:
        return SafeString("")
    begin, now = dots[0].published_at, timezone.now()
    length = max((now - begin).total_seconds(), 3600.0)
    solid: list[int] = []
    small: list[int] = []
    hollow: list[int] = []
    for dot in dots[1:]:
        kind = hollow if dot.source_id in discussions else small if dot.is_copy else solid
        kind.append(_position(dot.published_at, begin, length))
    copies = f'<path class="strip-copies" d="{_points(small)}"/>' if small else ""
    rings = "".join(f'<circle cx="{x}" cy="6" r="2"/>' for x in dict.fromkeys(hollow))
    return mark_safe(  # noqa: S308 - numbers, and text that is escaped
        f'<svg class="strip" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="{escape(describe(dots, count, names))}">'
        f'<path class="strip-line" d="M0 6h{WIDTH}"/>'
        f'<path class="strip-dots" d="{_points(solid)}"/>{copies}{rings}'
        f'<path class="strip-first" d="M{MARGIN} 6h0"/></svg>'
    )


def _points(places: Sequence[int]) -> str:
    """Dots at the places. Of those that lie on each other one is drawn."""
    return "".join(f"M{x} 6h0" for x in dict.fromkeys(places))


def describe(dots: Sequence[Dot], count: int, names: Mapping[int, str]) -> str:
    """Say in words what the strip shows."""
    return f"{count} articles. First: {_say(dots[0], names)}. Latest: {_say(dots[-1], names)}."


def _say(dot: Dot, names: Mapping[int, str]) -> str:
    age = short_age(timezone.localtime(dot.published_at))
    return f"{names[dot.source_id]}, {age}" if dot.source_id in names else age


def _position(moment: datetime, begin: datetime, length: float) -> int:
    share = min((moment - begin).total_seconds() / length, 1.0)
    return MARGIN + round(share * (WIDTH - 2 * MARGIN))
