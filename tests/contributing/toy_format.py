"""A kind of feed as CONTRIBUTING.md describes it: changelogs in the style of keepachangelog.com."""

import re
from html import escape

from feeds.core.errors import ParseError
from feeds.ingest.parse.dates import parse_date
from feeds.ingest.parse.feed_format import Document, FeedFormat
from feeds.ingest.parse.types import Entry, ParsedFeed

_RELEASE = re.compile(r"^## \[?([\w.]+)\]? - (\d{4}-\d\d-\d\d)$", re.MULTILINE)


def matches(document: Document) -> bool:
    return document.text.startswith(b"# Changelog")


def read(document: Document) -> ParsedFeed:
    text = document.text.decode("utf-8", "replace")
    _, *parts = _RELEASE.split(text)
    if not parts:
        raise ParseError("This changelog lists no releases.")
    entries = [
        Entry(
            guid=version,
            link=f"{document.url}?release={version}",
            title=f"Release {version}",
            html=escape(changes.strip(), quote=False),
            published=parse_date(day),
        )
        for version, day, changes in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    ]
    return ParsedFeed(kind=FORMAT.name, title="Changelog", entries=tuple(entries))


FORMAT = FeedFormat(
    name="changelog",
    matches=matches,
    read=read,
    media_types={"text/markdown": 0.6},
    common_paths=("CHANGELOG.md",),
)
