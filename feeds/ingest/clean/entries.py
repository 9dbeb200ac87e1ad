"""Cleans parsed entries: sanitises HTML, resolves links, limits lengths and computes keys. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from feeds.core.topics import match_topics
from feeds.html.sanitise import (
    first_image,
    plain_title,
    sanitise,
    text_of_clean,
    to_text,
)
from feeds.ingest.clean.identity import guids_are_trustworthy, hash64, shared_links
from feeds.ingest.clean.links import absolute_url, canonical_url
from feeds.ingest.parse.budget import Budget
from feeds.ingest.parse.types import CleanEntry, Enclosure, Entry, ParsedFeed

__all__ = ["CleanFeed", "canonical_url", "clean_feed", "plain_title", "sanitise", "to_text"]

_OLDEST = datetime(1995, 1, 1, tzinfo=UTC)
_NEVER = datetime.min.replace(tzinfo=UTC)
_MAX_URL = 2048
_MAX_AUTHOR = 200
_MAX_SUMMARY = 600
_TITLE_FROM_TEXT = 120
_MAX_ENCLOSURES = 20


@dataclass(frozen=True, slots=True)
class CleanFeed:
    """The entries to store, each once, in the order of the document.

    Pass `trusts_guid` to the next call for the same source. Once it is False, because a guid stood
    for several articles, guids of the source are never used again. `complaint` is a sentence on
    what was wrong with the document.
    """

    entries: tuple[CleanEntry, ...]
    trusts_guid: bool
    complaint: str


@dataclass(frozen=True, slots=True)
class _LinkedEntry:
    """An entry with its base URL, its canonical link and its plain title."""

    entry: Entry
    base: str
    link: str
    title: str


def clean_feed(
    feed: ParsedFeed,
    feed_url: str,
    *,
    trusts_guid: bool,
    now: datetime,
    budget: Budget | None = None,
) -> CleanFeed:
    """Clean the entries of `feed`, which was fetched from `feed_url`.

    `trusts_guid` is False if an earlier document of the source reused guids. Raises LimitError if
    cleaning exceeds `budget`.
    """
    budget = budget or Budget()
    site = canonical_url(feed.site_url, feed_url) or feed_url
    linked = _link_entries(feed.entries, site, feed_url)
    uses_guid = trusts_guid and guids_are_trustworthy(
        (row.entry.guid, row.link, row.title) for row in linked
    )
    shared = shared_links(
        (row.link, row.title) for row in linked if not (uses_guid and row.entry.guid)
    )
    language = _language(feed.language)
    versions = []
    for row in linked:
        versions.append((_clean_entry(row, uses_guid, shared, language, now), row.entry))
        budget.check()
    entries = _latest_versions(versions)
    return CleanFeed(entries, uses_guid, _complaint(feed.complaint, trusts_guid, uses_guid))


def _complaint(complaint: str, trusted: bool, uses_guid: bool) -> str:
    """Return `complaint`, with a sentence if this document is the first that reuses guids."""
    if trusted and not uses_guid:
        reuse = (
            "The feed reuses ids for different articles, so articles are identified by their links."
        )
        return f"{complaint} {reuse}".strip()
    return complaint


def _link_entries(entries: Sequence[Entry], site: str, feed_url: str) -> list[_LinkedEntry]:
    keeps_fragment = _fragments_matter(entries)
    linked = []
    for entry in entries:
        base = (canonical_url(entry.base_url, feed_url) if entry.base_url else "") or site
        link = canonical_url(entry.link, base, keep_fragment=keeps_fragment) if entry.link else ""
        linked.append(_LinkedEntry(entry, base, link, plain_title(entry.title)))
    return linked


def _fragments_matter(entries: Sequence[Entry]) -> bool:
    """Return True if links differ only in their fragments, such as the anchors of a changelog."""
    links = {entry.link for entry in entries if "#" in entry.link}
    return len({link.partition("#")[0] for link in links}) < len(links)


def _latest_versions(versions: Iterable[tuple[CleanEntry, Entry]]) -> tuple[CleanEntry, ...]:
    """Return one entry for each key: the one with the latest date, or else the last."""
    latest: dict[int, tuple[datetime, CleanEntry]] = {}
    for clean, entry in versions:
        moment = entry.updated or entry.published or _NEVER
        known = latest.get(clean.key_hash)
        if known is None or moment >= known[0]:
            latest[clean.key_hash] = (moment, clean)
    return tuple(clean for _, clean in latest.values())


def _clean_entry(
    linked: _LinkedEntry, uses_guid: bool, shared: frozenset[str], language: str, now: datetime
) -> CleanEntry:
    entry, link = linked.entry, linked.link
    html = sanitise(entry.html or entry.summary_html, linked.base)
    text = text_of_clean(html)
    title = linked.title or _title_from(text)
    summary = _summary(entry, text)
    guid = entry.guid if uses_guid else ""
    return CleanEntry(
        key_hash=_key(guid, link, linked.title, text, shared),
        alt_hash=hash64(link, title),
        content_hash=hash64(title, text, link),
        url=link if len(link) <= _MAX_URL else "",
        title=title,
        author=plain_title(entry.author)[:_MAX_AUTHOR].strip(),
        summary=summary,
        html=html,
        text=text,
        published=_usable_date(entry, now),
        image_url=_image(entry, html, linked.base),
        language=language,
        topics=match_topics(f"{title}\n{summary}", entry.categories),
        enclosures=_enclosures(entry.enclosures, linked.base) if entry.enclosures else (),
    )


def _key(guid: str, link: str, title: str, text: str, shared: frozenset[str]) -> int:
    """Return the identity of an entry: its guid, else its link, else other parts."""
    if guid:
        return hash64(guid)
    if link and link not in shared:
        return hash64(link)
    return hash64(link, title) if link else hash64(title, text)


def _title_from(text: str) -> str:
    line = text[:_MAX_SUMMARY].partition("\n")[0]
    return plain_title(shorten(line, _TITLE_FROM_TEXT).replace("<", "&lt;")) or "Untitled"


def _summary(entry: Entry, text: str) -> str:
    """Return the beginning of the summary, or of `text`, whose lines have no spare blanks."""
    if entry.html and entry.summary_html:
        text = to_text(entry.summary_html[:20_000]) or text
    return shorten(text[: 3 * _MAX_SUMMARY].replace("\n", " ").strip(), _MAX_SUMMARY)


def shorten(text: str, longest: int) -> str:
    """Return at most `longest` characters of `text`, cut between words if possible."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    at = cut.rfind(" ")
    return (cut[:at] if at > longest // 2 else cut).rstrip(" ,;:.-–—") + "…"


def _usable_date(entry: Entry, now: datetime) -> datetime | None:
    """Return the publication date, else the update. Ignores dates before 1995.

    A future date becomes `now`.
    """
    for moment in (entry.published, entry.updated):
        if moment is not None and moment >= _OLDEST:
            return min(moment, now)
    return None


def _image(entry: Entry, html: str, base: str) -> str:
    candidates = [entry.image_url] if entry.image_url else []
    candidates += [part.url for part in entry.enclosures if part.type.startswith("image")]
    for candidate in candidates:
        if address := _media_url(candidate, base):
            return address
    return _media_url(first_image(html), base) if "<img" in html else ""


def _media_url(url: str, base: str) -> str:
    """Return an absolute URL with the query as it is, because it may be signed; "" if invalid."""
    try:
        address = absolute_url(url, base)
    except ValueError:
        return ""
    is_web = address[:8].lower().startswith(("http://", "https://"))
    return address if is_web and len(address) <= _MAX_URL else ""


def _enclosures(enclosures: Sequence[Enclosure], base: str) -> tuple[Enclosure, ...]:
    by_url: dict[str, Enclosure] = {}
    for part in enclosures[:_MAX_ENCLOSURES]:
        if address := _media_url(part.url, base):
            by_url[address] = Enclosure(address, part.type[:100].strip().lower(), part.length)
    return tuple(by_url.values())


def _language(code: str) -> str:
    """Return the primary tag of a language code (RFC 5646) in lower case, or "" if invalid."""
    primary = code.strip().replace("_", "-").partition("-")[0].lower()
    return primary if 2 <= len(primary) <= 3 and primary.isascii() and primary.isalpha() else ""
