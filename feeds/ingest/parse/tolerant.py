"""Save what can be saved of a document that a strict parser refuses. Pure."""

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
from feeds.ingest.parse.budget import MOST_TAGS, Budget, check_xml, newest
from feeds.ingest.parse.dates import parse_date
from feeds.ingest.parse.safe_xml import safe_parser
from feeds.ingest.parse.types import Enclosure, Entry, ParsedFeed

_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]+|\xef\xbf[\xbe\xbf]")
_AMPERSAND = re.compile(rb"&(?!#\d{1,7};|#x[0-9a-fA-F]{1,6};|(?:amp|lt|gt|quot|apos);)(\w{2,32};)?")
_BAD_REFERENCE = re.compile(rb"&#(?:(\d{1,7})|x([0-9a-fA-F]{1,6}));")
_CDATA_START, _CDATA_END = b"<![CDATA[", b"]]>"
_DECLARATION = re.compile(rb"<\?xml[^>]{0,500}\?>", re.IGNORECASE)
# feedparser's loose parser is slow, and slower than linear on hostile input. So it reads a few
# entries at a time, and libxml2 recovers what has longer entries or takes more CPU seconds.
_CHUNK = 50_000
_LONGEST_CHUNK = 200_000
_MOST_EQUALS = 6_000
"""In one chunk: its time grows with the square of the attributes of a tag."""
_LARGEST = 3_000_000
_SECONDS = 3.0
_HEAD = 10_000
_MOST_NUMERIC = 1_000_000
ENTRY_START = re.compile(rb"<(?:\w+:)?(?:item|entry)[\s>]", re.IGNORECASE)


def repair(body: bytes) -> bytes:
    """`body` without what most often breaks XML: control characters, HTML entities, bare &."""
    _check_references(body)
    first, *others = _CONTROLS.sub(b"", body).split(_CDATA_START)
    parts = [_repair_references(first)]
    for other in others:
        literal, end, markup = other.partition(_CDATA_END)
        parts += (_CDATA_START, literal, end, _repair_references(markup))
    return b"".join(parts)


def _check_references(body: bytes) -> None:
    """Raise LimitError for so many broken references that repair would multiply the size."""
    numeric = body.count(b"&#")
    known = sum(map(body.count, (b"&lt;", b"&gt;", b"&amp;", b"&quot;", b"&apos;"))) + numeric
    if numeric > _MOST_NUMERIC or body.count(b"&") - known > MOST_TAGS:
        raise LimitError("The document has too many broken references to be repaired.")


def without_declaration(body: bytes) -> bytes:
    """The document without its XML declaration, which names an encoding it no longer has."""
    return _DECLARATION.sub(b"", body[:_HEAD], count=1) + body[_HEAD:]


def _repair_references(part: bytes) -> bytes:
    return _BAD_REFERENCE.sub(_allowed_reference, _AMPERSAND.sub(_named_reference, part))


def _named_reference(found: re.Match[bytes]) -> bytes:
    name = (found.group(1) or b"").decode("utf-8", "replace")
    if name in html5:
        return html5[name].replace("&", "&amp;").replace("<", "&lt;").encode()
    return b"&amp;" + (found.group(1) or b"")


def _allowed_reference(found: re.Match[bytes]) -> bytes:
    number = int(found.group(1)) if found.group(1) else int(found.group(2), 16)
    is_control = number < 32 and number not in (9, 10, 13)
    is_character = number < 0xD800 or 0xDFFF < number < 0xFFFE or 0x10000 <= number <= 0x10FFFF
    return b"" if is_control or not is_character else found.group(0)


def recover_tree(body: bytes) -> Any:
    """What libxml2 can make of broken XML in linear time; None when nothing."""
    check_xml(body, recovers=True)
    parser = safe_parser(recover=True)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def read_tolerantly(body: bytes, budget: Budget | None = None) -> ParsedFeed | None:
    """The feed as feedparser reads it, as far as it comes in time; None when it finds none.

    `body` is UTF-8 and free of entity declarations, which feedparser would expand.
    """
    if len(body) > _LARGEST:
        return None
    chunks = list(_chunks(body))
    if any(len(chunk) > _LONGEST_CHUNK or chunk.count(b"=") > _MOST_EQUALS for chunk in chunks):
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
    found = [entry for feed in feeds for entry in feed.entries]
    entries = newest(found, attrgetter("published"))
    return replace(feeds[0], entries=tuple(entries), total=len(found))


def _chunks(body: bytes) -> Iterator[bytes]:
    """The document in parts of some entries each, all with the head of the whole."""
    starts = [found.start() for found in ENTRY_START.finditer(body)] if len(body) > _CHUNK else []
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
        found = feedparser.parse(
            BytesIO(body),  # a stream: bytes could be taken for the name of a file
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception:  # noqa: BLE001 - it trips over hostile input in many ways
        return None
    if not found.entries and not found.get("version"):
        return None
    return _to_feed(found)


def _to_feed(found: Any) -> ParsedFeed:
    return ParsedFeed(
        kind="atom" if str(found.get("version", "")).startswith("atom") else "rss",
        title=_string(found.feed, "title"),
        site_url=_string(found.feed, "link"),
        description=_string(found.feed, "subtitle"),
        language=_string(found.feed, "language"),
        entries=tuple(_to_entry(entry) for entry in found.entries),
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
    # feedparser's own look-up answers `published` for a missing `updated`, with a warning.
    return next((found for name in names if (found := parse_date(dict.get(entry, name)))), None)


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
