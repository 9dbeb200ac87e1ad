"""Places the dots and labels of the coverage strip of a story's page.

The line begins at the first article. It ends now, or soon after the latest article if that is old,
so that dots do not crowd at its beginning. Places are percentages, because the strip is as wide as
the column. Whether a label fits is computed for a wide column; in a narrow one only the labels of
the first and the latest article are shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from django.utils import timezone
from django.utils.text import Truncator

from feeds.web.formats import short_age

WIDTH = 760
"""Width of the wide column in CSS pixels."""
CHARACTER, GAP = 7.2, 16
"""Width of a character of a label, and between two labels, in CSS pixels."""
MAX_NAME, MAX_NARROW_NAME = 16, 11
"""Characters of a source's name in a label, and in that of the latest in a narrow column."""
LEFT, RIGHT = 1.0, 99.0
"""Where the first dot is, and where the last one can be, in per cent."""
SHORT = timedelta(hours=24)
"""The labels of a story that is shorter have hours and minutes, others days."""


class StripArticle(NamedTuple):
    """All that the strip shows of an article. The names are those of an item."""

    pk: int
    title: str
    source: str
    published_at: datetime
    is_copy: bool = False
    is_discussion: bool = False


@dataclass(slots=True)
class StripDot:
    """An article on the strip. `label` is "" where it does not fit."""

    article: StripArticle
    place: float
    name: str
    """What a screen reader says of the link."""
    label: str = ""
    narrow_label: str = ""
    """Of the latest article, for the end of a narrow column."""
    anchor: str = "middle"
    """Of the label: start, middle or end."""
    is_first: bool = False
    is_latest: bool = False


def strip_dots(articles: Sequence[StripArticle]) -> list[StripDot]:
    """Place the articles, which are in order of publication.

    Returns [] if all were published at one moment.
    """
    begin, latest = articles[0].published_at, articles[-1].published_at
    if latest <= begin:
        return []
    end = min(timezone.now(), latest + (latest - begin) / 8)
    length = max((end - begin).total_seconds(), 1.0)
    is_short = latest - begin < SHORT
    dots = []
    for article in articles:
        share = min((article.published_at - begin).total_seconds() / length, 1.0)
        age = short_age(timezone.localtime(article.published_at))
        place = round(LEFT + share * (RIGHT - LEFT), 2)
        dots.append(StripDot(article, place, f"{article.source}, {age}: {article.title}"))
    dots[0].is_first, dots[-1].is_latest = True, True
    _label(dots, is_short)
    return dots


def _label(dots: Sequence[StripDot], is_short: bool) -> None:
    """Label the first and the latest dot, and as many others as fit between."""
    taken: list[tuple[float, float]] = []
    for dot in (dots[0], dots[-1], *dots[1:-1]):
        source, moment = dot.article.source, _time(dot.article.published_at, is_short)
        text = f"{moment} {Truncator(source).chars(MAX_NAME)}"
        if dot.is_latest:
            dot.narrow_label = f"{moment} {Truncator(source).chars(MAX_NARROW_NAME)}"
        anchor = "start" if dot.is_first else "end" if dot.is_latest else "middle"
        low, high = _extent(dot.place, text, anchor)
        fits = all(
            high + GAP <= other_low or other_high + GAP <= low for other_low, other_high in taken
        )
        if fits:
            dot.label, dot.anchor = text, anchor
            taken.append((low, high))


def _extent(place: float, text: str, anchor: str) -> tuple[float, float]:
    at, width = place / 100 * WIDTH, len(text) * CHARACTER
    low = at - {"start": 0.0, "middle": 0.5, "end": 1.0}[anchor] * width
    return low, low + width


def _time(moment: datetime, is_short: bool) -> str:
    return timezone.localtime(moment).strftime("%H:%M" if is_short else "%-d %b")
