"""Previews a feed before a reader follows it. Pure.

Untrusted feeds are parsed in a sandbox process, which imports this module but no Django.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from feeds.ingest.clean.entries import canonical_url, clean_feed
from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.feed import parse_feed

PREVIEWED = 5
_OLDEST = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class PreviewEntry:
    title: str
    url: str
    published: datetime | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that was read. `complaint` is a sentence on what was wrong with it, or ""."""

    url: str
    title: str
    kind: str
    site_url: str
    description: str
    language: str
    entries: tuple[PreviewEntry, ...]
    total: int
    complaint: str

    @classmethod
    def of(cls, values: dict[str, Any]) -> "Candidate":
        """Return the candidate from the values that `preview` returns."""
        entries = [
            PreviewEntry(title, url, datetime.fromisoformat(published) if published else None)
            for title, url, published in values["entries"]
        ]
        return cls(**values | {"entries": tuple(entries)})


def preview(body: bytes, content_type: str, final_url: str, url: str) -> dict[str, Any]:
    """Parse the feed in `body`, and return the fields of a Candidate as JSON values.

    `final_url` is the address after redirects, and `url` the one that a source would get. Raises
    ParseError if it is no feed, and LimitError if parsing exceeds a limit.
    """
    budget = Budget()
    feed = parse_feed(body, content_type, final_url, budget)
    clean = clean_feed(feed, final_url, trusts_guid=True, now=datetime.now(UTC), budget=budget)
    newest = sorted(clean.entries, key=lambda entry: entry.published or _OLDEST, reverse=True)
    return {
        "url": url,
        "title": feed.title or urlsplit(final_url).hostname or final_url,
        "kind": feed.kind,
        "site_url": canonical_url(feed.site_url, final_url),
        "description": feed.description,
        "language": feed.language,
        "entries": [
            (entry.title, entry.url, entry.published and entry.published.isoformat())
            for entry in newest[:PREVIEWED]
        ],
        "total": len(clean.entries),
        "complaint": clean.complaint,
    }
