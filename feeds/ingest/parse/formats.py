"""The kinds of feeds. Pure.

RSS, RDF and Atom are not listed: a document that no format recognises is taken for XML, as what
is broken can still be read then (feeds.ingest.parse.feed).
"""

from collections.abc import Iterator

from feeds.ingest.parse import json_feed
from feeds.ingest.parse.feed_format import Document, FeedFormat

FORMATS: tuple[FeedFormat, ...] = (json_feed.FORMAT,)

XML_TYPES = {
    "application/rss+xml": 1.0,
    "application/atom+xml": 1.0,
    "application/rdf+xml": 1.0,
    "application/xml": 0.9,
    "text/xml": 0.9,
}
XML_PATHS = ("feed", "rss.xml", "feed.xml", "atom.xml", "index.xml", "rss")
PAGE_TYPES = {"text/html": 0.7, "*/*": 0.5}


def recognise(document: Document) -> FeedFormat | None:
    """The first format that `document` matches; None for XML and for what is no feed."""
    return next((format for format in FORMATS if format.matches(document)), None)


def media_types() -> dict[str, float]:
    """The types of all formats, and how much each is preferred in requests."""
    types = dict(XML_TYPES)
    for format in FORMATS:
        types |= format.media_types
    return types


def accept_header() -> str:
    """The types that a request asks for, what is preferred most first (RFC 9110, 12.5.1)."""
    types = media_types() | PAGE_TYPES
    ordered = sorted(types.items(), key=lambda pair: -pair[1])
    return ", ".join(name if value == 1 else f"{name};q={value:g}" for name, value in ordered)


def common_paths() -> Iterator[str]:
    """Where sites keep their feeds, the most usual first."""
    yield from XML_PATHS
    for format in FORMATS:
        yield from format.common_paths
