"""The registered feed formats. Pure.

RSS, RDF and Atom are not registered. A document that no format matches is parsed as XML, which can
repair broken documents (feeds.ingest.parse.feed).
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
    """Return the format of `document`, or None if it is XML or no feed."""
    return next((format for format in FORMATS if format.matches(document)), None)


def media_types() -> dict[str, float]:
    """Return the media types of all formats with their preference in requests."""
    types = dict(XML_TYPES)
    for format in FORMATS:
        types |= format.media_types
    return types


def accept_header() -> str:
    """Return the Accept header of requests (RFC 9110, 12.5.1), the preferred types first."""
    types = media_types() | PAGE_TYPES
    ordered = sorted(types.items(), key=lambda pair: -pair[1])
    return ", ".join(name if value == 1 else f"{name};q={value:g}" for name, value in ordered)


def common_paths() -> Iterator[str]:
    """Yield the usual paths of feeds, the most common first."""
    yield from XML_PATHS
    for format in FORMATS:
        yield from format.common_paths
