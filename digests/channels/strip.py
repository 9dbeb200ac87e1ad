"""The coverage strip of a story in an edition: a line with a dot for each article.

The line ends when the edition was written. Pages draw it as SVG, e-mails as a table, because mail
programs show no SVG, and plain text by characters.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from django.conf import settings

from ainews_site.infra.timezones import zone_named
from digests.models import Digest

FIRST, ARTICLE, COPY, DISCUSSION = "first", "article", "copy", "discussion"
NEAR = 6
"""Dots that are nearer than this, in per cent of the line, are drawn as one."""
CHARACTERS = {FIRST: "●", ARTICLE: "●", COPY: "·", DISCUSSION: "○"}
COLUMNS = 40


@dataclass(frozen=True, slots=True)
class StripDot:
    """A dot, `gap` per cent of the line after the one before."""

    kind: str
    place: int
    gap: int


@dataclass(frozen=True, slots=True)
class Strip:
    """The dots, what is left of the line after the last one, and what they say in words."""

    dots: tuple[StripDot, ...]
    rest: int
    caption: str

    def as_text(self) -> str:
        """Draw the strip with characters."""
        line = ["─"] * COLUMNS
        for dot in self.dots:
            line[round(dot.place * (COLUMNS - 1) / 100)] = CHARACTERS[dot.kind]
        return "".join(line)


def edition_strip(story: Mapping[str, Any], digest: Digest) -> Strip | None:
    """The strip of a story of this edition, with times in the zone of its reader."""
    zone = zone_named(digest.user.time_zone if digest.user else settings.TIME_ZONE)
    return strip_of(story, digest.known_until, zone)


def strip_of(story: Mapping[str, Any], until: datetime, zone: tzinfo) -> Strip | None:
    """The strip of a story of an edition that was written at `until`.

    None for a story of one article, and in editions that do not store their coverage.
    """
    marks = story.get("coverage") or []
    if len(marks) < 2:
        return None
    moments = [datetime.fromisoformat(mark["published"]) for mark in marks]
    length = max((until - moments[0]).total_seconds(), 3600.0)
    places = [min(round((m - moments[0]).total_seconds() * 100 / length), 100) for m in moments]
    kinds = [mark["kind"] for mark in marks]
    if not story["is_update"]:
        kinds[0] = FIRST
    dots = _apart(places, kinds)
    return Strip(dots, 100 - dots[-1].place, _caption(story, moments, zone))


def _apart(places: Sequence[int], kinds: Sequence[str]) -> tuple[StripDot, ...]:
    dots: list[StripDot] = []
    for place, kind in zip(places, kinds, strict=True):
        before = dots[-1].place if dots else 0
        if not dots or place - before >= NEAR:
            dots.append(StripDot(kind, place, place - before))
    return tuple(dots)


def _caption(story: Mapping[str, Any], moments: Sequence[datetime], zone: tzinfo) -> str:
    """Such as "6 articles from 4 sources. First: The Pylon, Sun 22:51. Latest: …"."""
    marks, sources = story["coverage"], story["source_count"]
    new = "new " if story["is_update"] else ""
    count = f"{story['article_count']} {new}articles from {sources} source{'s' * (sources != 1)}"
    ends = [
        f"{marks[place]['source']}, {moments[place].astimezone(zone):%a %H:%M}" for place in (0, -1)
    ]
    if story["is_update"]:
        return f"{count}. Latest: {ends[1]}."
    return f"{count}. First: {ends[0]}. Latest: {ends[1]}."
