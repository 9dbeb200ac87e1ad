"""Parses JSON Feed 1.0 and 1.1 (jsonfeed.org). Pure."""

import json
from collections.abc import Iterable
from datetime import datetime
from html import escape
from typing import Any

from feeds.core.errors import ParseError
from feeds.ingest.parse.budget import Budget, check_json, newest
from feeds.ingest.parse.dates import parse_date
from feeds.ingest.parse.feed_format import Document, FeedFormat
from feeds.ingest.parse.types import Enclosure, Entry, ParsedFeed


def read_json(body: bytes, budget: Budget) -> ParsedFeed:
    """Parse `body`, which is UTF-8. Values of the wrong type count as missing.

    Raises ParseError if it is no JSON Feed, and LimitError if it exceeds `budget`.
    """
    check_json(body)
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise ParseError("The document looks like JSON but cannot be parsed.") from None
    if not isinstance(document, dict) or not isinstance(document.get("items"), list):
        raise ParseError("This is JSON but not a JSON Feed: it has no list of items.")
    items = [item for item in document["items"] if isinstance(item, dict)]
    entries = []
    for item in newest(items, _published):
        entries.append(_read_item(item, document))
        budget.check()
    return ParsedFeed(
        kind="json",
        title=escape(_string(document, "title"), quote=False),
        site_url=_string(document, "home_page_url"),
        description=escape(_string(document, "description"), quote=False),
        language=_string(document, "language"),
        entries=tuple(entries),
        total=len(items),
    )


def _published(item: dict[str, Any]) -> datetime | None:
    return parse_date(_string(item, "date_published")) or parse_date(_string(item, "date_modified"))


def _string(values: dict[str, Any], *names: str) -> str:
    """Return the first non-empty string of `names`, or "". A number is converted to a string."""
    for name in names:
        value = values.get(name)
        if isinstance(value, str) and value.strip():
            return _valid(value.strip())
        if isinstance(value, int | float) and not isinstance(value, bool):
            return repr(value)
    return ""


def _valid(text: str) -> str:
    """Remove lone surrogates, which JSON can express but no database can store."""
    return text.encode("utf-8", "ignore").decode()


def _read_item(item: dict[str, Any], feed: dict[str, Any]) -> Entry:
    plain = _string(item, "content_text")
    return Entry(
        guid=_string(item, "id"),
        link=_string(item, "url", "external_url"),
        title=escape(_string(item, "title"), quote=False),
        author=_author(item) or _author(feed),
        html=_string(item, "content_html") or escape(plain, quote=False),
        summary_html=escape(_string(item, "summary"), quote=False),
        published=parse_date(_string(item, "date_published")),
        updated=parse_date(_string(item, "date_modified")),
        categories=tuple(_valid(name) for name in _list(item, "tags") if isinstance(name, str)),
        enclosures=tuple(_attachments(item)),
        image_url=_string(item, "image", "banner_image"),
    )


def _list(values: dict[str, Any], name: str) -> list[Any]:
    value = values.get(name)
    return value if isinstance(value, list) else []


def _author(values: dict[str, Any]) -> str:
    people = [*_list(values, "authors"), values.get("author")]
    names = [_string(person, "name") for person in people if isinstance(person, dict)]
    return ", ".join(dict.fromkeys(name for name in names if name))


def _attachments(item: dict[str, Any]) -> Iterable[Enclosure]:
    for part in _list(item, "attachments"):
        if isinstance(part, dict) and (url := _string(part, "url")):
            size = part.get("size_in_bytes")
            length = size if isinstance(size, int) and 0 <= size < 2**53 else None
            yield Enclosure(url, _string(part, "mime_type"), length)


def _matches(document: Document) -> bool:
    return document.text[:1] in (b"{", b"[")


FORMAT = FeedFormat(
    name="json",
    matches=_matches,
    read=lambda document: read_json(document.text, document.budget),
    media_types={"application/feed+json": 1.0, "application/json": 0.8},
)
