"""Repairs and recovers documents that a strict parser rejects. Pure."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from html.entities import html5
from io import BytesIO
from itertools import pairwise
from operator import attrgetter
from typing import Any

from lxml import etree

from feeds.core.errors import LimitError
from feeds.ingest.parse.budget import MAX_TAGS, Budget, check_xml, newest
from feeds.ingest.parse.dates import parse_date
from feeds.ingest.parse.safe_xml import safe_parser
from feeds.ingest.parse.types import Enclosure, Entry, ParsedFeed

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]+|\xef\xbf[\xbe\xbf]")
_AMPERSAND = re.compile(rb"&(?!#\d{1,7};|#x[0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)(\w{2,32};)?")
_BAD_REFERENCE = re.compile(rb"&#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));")
_CDATA_START, _CDATA_END = b"<![CDATA[", b"]]>"
_DECLARATION = re.compile(rb"<\?xml[^>]{0,500}\?>", re.IGNORECASE)
# feedparser's loose parser is slow, and takes more than linear time on hostile input. So it gets a
# few entries at a time. libxml2 recovers documents with longer entries, or that take too long.
_CHUNK = 50_000
_MAX_CHUNK = 200_000
_MAX_EQUALS = 6_000
"""Maximum per chunk. The time of a tag is quadratic in the number of its attributes."""
_LARGEST = 3_000_000
_SECONDS = 3.0
_HEAD = 10_000
_MAX_NUMERIC = 1_000_000
ENTRY_START = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s>]", re.IGNORECASE)


def repair(body: bytes) -> bytes:
    """Remove what most often breaks XML: control characters, HTML entities and bare ampersands."""
    _check_references(body)
    first, *others = _CONTROLS.sub(b"", body).split(_CDATA_START)
    parts = [_repair_references(first)]
    for other in others:
        literal, end, markup = other.partition(_CDATA_END)
        parts += (_CDATA_START, literal, end, _repair_references(markup))
    return b"".join(parts)


def _check_references(body: bytes) -> None:
    """Raise LimitError if repairing broken references would multiply the size."""
    numeric = body.count(b"&#")
    known = sum(map(body.count, (b"&lt;", b"&gt;", b"&amp;", b"&quot;", b"&apos;"))) + numeric
    if numeric > _MAX_NUMERIC or body.count(b"&") - known > MAX_TAGS:
        raise LimitError("The document has too many broken references to be repaired.")


def without_declaration(body: bytes) -> bytes:
    """Remove the XML declaration, whose encoding is wrong after the conversion to UTF-8."""
    return _DECLARATION.sub(b"", body[:_HEAD], count=1) + body[_HEAD:]


def _repair_references(part: bytes) -> bytes:
    return _BAD_REFERENCE.sub(_allowed_reference, _AMPERSAND.sub(_named_reference, part))


def _named_reference(match: re.Match[bytes]) -> bytes:
    name = (match.group(1) or b"").decode("utf-8", "replace")
    if name in html5:
        return html5[name].replace("&", "&amp;").replace("<", "&lt;").encode()
    return b"&amp;" + (match.group(1) or b"")


def _allowed_reference(match: re.Match[bytes]) -> bytes:
    number = int(match.group(1)) if match.group(1) else int(match.group(2), 16)
    is_control = number < 32 and number not in (9, 10, 13)
    is_character = number < 0xD800 or 0xDFFF < number < 0xFFFE or 0x10000 <= number <= 0x10FFFF
    return b"" if is_control or not is_character else match.group(0)


def recover_tree(body: bytes) -> Any:
    """Return the tree that libxml2 recovers from broken XML in linear time, or None."""
    check_xml(body, recovers=True)
    parser = safe_parser(recover=True)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def read_tolerantly(body: bytes, budget: Budget | None = None) -> ParsedFeed | None:
    """Parse by feedparser as many entries as the time limit allows, or return None.

    `body` must be UTF-8 without entity declarations, which feedparser would expand.
    """
    if len(body) > _LARGEST:
        return None
    chunks = list(_chunks(body))
    if any(len(chunk) > _MAX_CHUNK or chunk.count(b"=") > _MAX_EQUALS for chunk in chunks):
        return None
    budget = budget or Budget()
    until = budget.spent + _SECONDS
    feeds = []
    for chunk in chunks:
        if feed := _read_chunk(chunk):
            feeds.append(feed)
        budget.check()
        if budget.spent > until:
            break
    if not feeds:
        return None
    all_entries = [entry for feed in feeds for entry in feed.entries]
    entries = newest(all_entries, attrgetter("published"))
    return replace(feeds[0], entries=tuple(entries), total=len(all_entries))


def _chunks(body: bytes) -> Iterator[bytes]:
    """Split the document into chunks of some entries. Each begins with the head of the feed."""
    starts = [match.start() for match in ENTRY_START.finditer(body)] if len(body) > _CHUNK else []
    if not starts or starts[0] > _CHUNK:
        yield body
        return
    head, begin = body[: starts[0]], starts[0]
    for start, end in pairwise([*starts, len(body)]):
        if end - begin > _CHUNK and start > begin:
            yield head + body[begin:start]
            begin = start
    yield head + body[begin:]


def _read_chunk(body: bytes) -> ParsedFeed | None:
    import feedparser  # takes 60 ms, and most documents never need it

    try:
        parsed = feedparser.parse(
            BytesIO(body),  # a stream, because bytes could be taken for a file name
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception:  # noqa: BLE001 - hostile input makes it fail in many ways
        return None
    if not parsed.entries and not parsed.get("version"):
        return None
    return _to_feed(parsed)


def _to_feed(parsed: Any) -> ParsedFeed:
    return ParsedFeed(
        kind="atom" if str(parsed.get("version", "")).startswith("atom") else "rss",
        title=_string(parsed.feed, "title"),
        site_url=_string(parsed.feed, "link"),
        description=_string(parsed.feed, "subtitle"),
        language=_string(parsed.feed, "language"),
        entries=tuple(_to_entry(entry) for entry in parsed.entries),
    )


def _string(values: Any, name: str) -> str:
    value = values.get(name)
    return value.strip() if isinstance(value, str) else ""


def _to_entry(entry: Any) -> Entry:
    content = [part.get("value", "") for part in entry.get("content", ())]
    return Entry(
        guid=_string(entry, "id"),
        link=_string(entry, "feedburner_origlink") or _string(entry, "link"),
        title=_string(entry, "title"),
        author=_string(entry, "author"),
        html=content[0] if content else "",
        summary_html=_string(entry, "summary"),
        published=_date(entry, "published", "created"),
        updated=_date(entry, "updated"),
        categories=tuple(tag.get("term") or "" for tag in entry.get("tags", ())),
        enclosures=tuple(_enclosures(entry)),
        image_url=_image(entry),
        comments_url=_string(entry, "comments"),
    )


def _date(entry: Any, *names: str) -> datetime | None:
    # `entry.get` returns `published` for a missing `updated`, with a warning.
    return next((date for name in names if (date := parse_date(dict.get(entry, name)))), None)


def _enclosures(entry: Any) -> list[Enclosure]:
    return [
        Enclosure(part["href"], part.get("type", ""), _length(part.get("length")))
        for part in entry.get("enclosures", ())
        if part.get("href")
    ]


def _length(value: Any) -> int | None:
    text = str(value or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def _image(entry: Any) -> str:
    pictures = [*entry.get("media_thumbnail", ())]
    pictures += [m for m in entry.get("media_content", ()) if "image" in str(m.get("medium"))]
    return next((str(picture["url"]) for picture in pictures if picture.get("url")), "")
