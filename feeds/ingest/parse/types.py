"""The values that flow between the steps of a poll after the fetch: parse -> clean -> store."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Enclosure:
    url: str
    type: str = ""
    length: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as the document says it: nothing resolved, sanitised or clamped yet.

    `published` is aware and in UTC, or None. `html` may be plain text.
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
    """A whole document. `complaint` says in words what was odd; entries are what was saved."""

    kind: str
    title: str = ""
    site_url: str = ""
    description: str = ""
    language: str = ""
    ttl: int | None = None
    """Least seconds between polls that the document asks for (ttl, sy:update*)."""
    skip_hours: frozenset[int] = frozenset()
    skip_days: frozenset[int] = frozenset()
    """Weekdays, Monday is 0."""
    entries: tuple[Entry, ...] = ()
    total: int = 0
    """Entries of the document; `entries` are the newest of them where there are too many."""
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class CleanEntry:
    """One entry ready to be stored: links absolute, HTML sanitised, lengths bounded.

    `key_hash`, `alt_hash`, `content_hash` are signed 64-bit (BLAKE2b).
    `published` is None when the document had no usable date.
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
