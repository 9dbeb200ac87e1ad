"""Make parsed entries safe, absolute, bounded and identifiable. Pure."""

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
_LONGEST_URL = 2048
_LONGEST_AUTHOR = 200
_LONGEST_SUMMARY = 600
_TITLE_FROM_TEXT = 120
_MOST_ENCLOSURES = 20


@dataclass(frozen=True, slots=True)
class CleanFeed:
    """The entries to store, each once, in the order of the document.

    `trusts_guid` is what the next call for this source must be given: once a guid
    stood for several articles, guids of the source are never believed again.
    """

    entries: tuple[CleanEntry, ...]
    trusts_guid: bool
    complaint: str


@dataclass(frozen=True, slots=True)
class _Linked:
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
    """The entries of `feed` made ready to be stored; `feed_url` is where it came from.

    Raises LimitError when they exceed `budget`.
    """
    budget = budget or Budget()
    site = canonical_url(feed.site_url, feed_url) or feed_url
    linked = _link_entries(feed.entries, site, feed_url)
    believed = trusts_guid and guids_are_trustworthy(
        (one.entry.guid, one.link, one.title) for one in linked
    )
    shared = shared_links(
        (one.link, one.title) for one in linked if not (believed and one.entry.guid)
    )
    language = _language(feed.language)
    versions = []
    for one in linked:
        versions.append((_clean_entry(one, believed, shared, language, now), one.entry))
        budget.check()
    entries = _latest_versions(versions)
    return CleanFeed(entries, believed, _complain(feed.complaint, trusts_guid, believed))


def _complain(complaint: str, trusted: bool, believed: bool) -> str:
    if trusted and not believed:
        found = (
            "The feed reuses ids for different articles, so articles are identified by their links."
        )
        return f"{complaint} {found}".strip()
    return complaint


def _link_entries(entries: Sequence[Entry], site: str, feed_url: str) -> list[_Linked]:
    keeps_fragment = _fragments_matter(entries)
    linked = []
    for entry in entries:
        base = canonical_url(entry.base_url, feed_url) or site
        link = canonical_url(entry.link, base, keep_fragment=keeps_fragment) if entry.link else ""
        linked.append(_Linked(entry, base, link, plain_title(entry.title)))
    return linked


def _fragments_matter(entries: Sequence[Entry]) -> bool:
    """Whether links differ in their fragments alone, as in the anchors of a changelog."""
    links = {entry.link for entry in entries if "#" in entry.link}
    return len({link.partition("#")[0] for link in links}) < len(links)


def _latest_versions(versions: Iterable[tuple[CleanEntry, Entry]]) -> tuple[CleanEntry, ...]:
    """One entry a key: the one with the latest date, the later one where that says nothing."""
    latest: dict[int, tuple[datetime, CleanEntry]] = {}
    for clean, entry in versions:
        moment = entry.updated or entry.published or _NEVER
        known = latest.get(clean.key_hash)
        if known is None or moment >= known[0]:
            latest[clean.key_hash] = (moment, clean)
    return tuple(clean for _, clean in latest.values())


def _clean_entry(
    one: _Linked, believed: bool, shared: frozenset[str], language: str, now: datetime
) -> CleanEntry:
    entry = one.entry
    html = sanitise(entry.html or entry.summary_html, one.base)
    text = text_of_clean(html)
    title = one.title or _title_from(text)
    summary = _summary(entry, text)
    guid = entry.guid if believed else ""
    return CleanEntry(
        key_hash=_key(guid, one.link, one.title, text, shared),
        alt_hash=hash64(one.link, title),
        content_hash=hash64(title, text, one.link),
        url=one.link if len(one.link) <= _LONGEST_URL else "",
        title=title,
        author=plain_title(entry.author)[:_LONGEST_AUTHOR].strip(),
        summary=summary,
        html=html,
        text=text,
        published=_usable_date(entry, now),
        image_url=_image(entry, html, one.base),
        language=language,
        topics=match_topics(f"{title}\n{summary}", entry.categories),
        enclosures=_enclosures(entry.enclosures, one.base) if entry.enclosures else (),
    )


def _key(guid: str, link: str, title: str, text: str, shared: frozenset[str]) -> int:
    if guid:
        return hash64(guid)
    if link and link not in shared:
        return hash64(link)
    return hash64(link, title) if link else hash64(title, text)


def _title_from(text: str) -> str:
    line = text[:_LONGEST_SUMMARY].partition("\n")[0]
    return plain_title(shorten(line, _TITLE_FROM_TEXT).replace("<", "&lt;")) or "Untitled"


def _summary(entry: Entry, text: str) -> str:
    if entry.html and entry.summary_html:
        text = to_text(entry.summary_html[:20_000]) or text
    return shorten(" ".join(text[: 3 * _LONGEST_SUMMARY].split()), _LONGEST_SUMMARY)


def shorten(text: str, longest: int) -> str:
    """At most `longest` characters of `text`, cut between words where there are any."""
    if len(text) <= longest:
        return text
    cut = text[: longest - 1]
    at = cut.rfind(" ")
    return (cut[:at] if at > longest // 2 else cut).rstrip(" ,;:.-–—") + "…"


def _usable_date(entry: Entry, now: datetime) -> datetime | None:
    """Published, else updated; None when before 1995; the future is now."""
    for moment in (entry.published, entry.updated):
        if moment is not None and moment >= _OLDEST:
            return min(moment, now)
    return None


def _image(entry: Entry, html: str, base: str) -> str:
    candidates = [entry.image_url] if entry.image_url else []
    candidates += [one.url for one in entry.enclosures if one.type.startswith("image")]
    for candidate in candidates:
        if address := _media_url(candidate, base):
            return address
    return _media_url(first_image(html), base) if "<img" in html else ""


def _media_url(url: str, base: str) -> str:
    """Absolute, but with its query untouched: it may be signed."""
    try:
        address = absolute_url(url, base)
    except ValueError:
        return ""
    is_web = address[:8].lower().startswith(("http://", "https://"))
    return address if is_web and len(address) <= _LONGEST_URL else ""


def _enclosures(found: Sequence[Enclosure], base: str) -> tuple[Enclosure, ...]:
    kept: dict[str, Enclosure] = {}
    for one in found[:_MOST_ENCLOSURES]:
        if address := _media_url(one.url, base):
            kept[address] = Enclosure(address, one.type[:100].strip().lower(), one.length)
    return tuple(kept.values())


def _language(code: str) -> str:
    """The primary tag of a language code (RFC 5646), lower-case; "" if it is none."""
    primary = code.strip().replace("_", "-").partition("-")[0].lower()
    return primary if 2 <= len(primary) <= 3 and primary.isascii() and primary.isalpha() else ""
