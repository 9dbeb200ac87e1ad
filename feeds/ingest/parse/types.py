"""The values that the steps of a poll pass on: parse -> clean -> store."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Enclosure:
    """An attached file. `length` is in bytes."""

    url: str
    type: str = ""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is in the document: not resolved, sanitised or shortened.

    `published` and `updated` are aware and in UTC, or None. `html` may be plain text.
    """

    guid: str = ""
    link: str = ""
    title: str = ""
    author: str = ""
    html: str = ""
    summary_html: str = ""
    published: datetime | None = None
    updated: datetime | None = None
    categories: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
    image_url: str = ""
    base_url: str = ""
    comments_url: str = ""


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """A parsed document. `complaint` is a sentence on what was wrong with it, or ""."""

    kind: str
    title: str = ""
    site_url: str = ""
    description: str = ""
    language: str = ""
    ttl: int | None = None
    """The minimum number of seconds between polls that the document requests (ttl, sy:update*)."""
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    """Weekdays as numbers; Monday is 0."""
    entries: tuple[Entry, ...] = ()
    total: int = 0
    """The number of entries in the document. If there are too many, `entries` has the newest."""
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class CleanEntry:
    """One entry ready to be stored: with absolute links, sanitised HTML and limited lengths.

    The hashes are signed 64-bit integers (BLAKE2b): `key_hash` of the guid or the link identifies
    the entry, `alt_hash` is of link and title, and `content_hash` changes with the content.
    `published` is None if the document has no usable date.
    """

    key_hash: int
    alt_hash: int
    content_hash: int
    url: str
    title: str
    author: str
    summary: str
    html: str
    text: str
    published: datetime | None
    image_url: str = ""
    language: str = ""
    topics: tuple[str, ...] = ()
    enclosures: tuple[Enclosure, ...] = ()
