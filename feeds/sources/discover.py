"""Find the feeds behind any address that a reader pastes, and show what is in them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

from feeds.core.errors import FetchError, ParseError
from feeds.ingest.clean.entries import canonical_url, clean_feed
from feeds.ingest.fetch.client import Limits, fetch_all, fetch_one
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from feeds.ingest.parse.feed import parse_feed
from feeds.ingest.parse.formats import common_paths
from feeds.sources.address_rules import feed_addresses

PREVIEWED = 5
MOST_ALTERNATES = 6
LONGEST_SEARCH = 30.0


@dataclass(frozen=True, slots=True)
class PreviewEntry:
    title: str
    url: str
    published: datetime | None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A feed that answered and could be read. `complaint` says what was odd in it."""

    url: str
    title: str
    kind: str
    site_url: str
    description: str
    language: str
    entries: tuple[PreviewEntry, ...]
    total: int
    complaint: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """What lies behind `url`: the feed itself, or the feeds of a page, best first."""

    url: str
    candidates: tuple[Candidate, ...]


def discover(url: str, limits: Limits | None = None) -> Discovery:
    """The feeds at or behind `url`; FeedError, in words, when there is none.

    What the address rules know comes first. The page itself is asked only if that is no feed.
    """
    limits = limits or Limits.from_settings()
    url = complete_address(url)
    known = feed_addresses(url)
    if known and (candidates := asyncio.run(_in_time(_read_all(known, limits)))):
        return Discovery(url, candidates)
    result = fetch_one(url, limits)
    if result.error:
        raise FetchError(result.error)
    try:
        return Discovery(url, (_read(result),))
    except ParseError as error:
        search = _search(result.final_url, error.alternates, limits)
        candidates = asyncio.run(_in_time(search))
        if not candidates:
            raise ParseError(f"{error} No feed was found in the usual places either.") from None
        return Discovery(url, candidates)


def complete_address(text: str) -> str:
    """What a reader typed as an address: `feed:` dropped, `https://` added."""
    text = text.strip()
    for scheme in ("feed://", "feed:"):
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
    if "://" not in text:
        text = "https://" + text.lstrip("/")
    found = canonical_url(text)
    if not found or len(text.split()) > 1:
        raise FetchError(f"{text[:200]!r} is not a web address.")
    return found


async def _in_time(search: Awaitable[tuple[Candidate, ...]]) -> tuple[Candidate, ...]:
    """What `search` finds; nothing if it takes too long, as a reader waits for it."""
    try:
        async with asyncio.timeout(LONGEST_SEARCH):
            return await search
    except TimeoutError:
        return ()


async def _search(page: str, alternates: tuple[str, ...], limits: Limits) -> tuple[Candidate, ...]:
    """The feeds that the page names, all of them, else the first at a common path."""
    named = [urljoin(page, alternate) for alternate in alternates[:MOST_ALTERNATES]]
    if found := await _read_all(named, limits):
        return found
    async with aclosing(_read_each(common_addresses(page), limits)) as candidates:
        async for candidate in candidates:
            return (candidate,)
    return ()


async def _read_all(urls: Sequence[str], limits: Limits) -> tuple[Candidate, ...]:
    """The feeds among `urls`, in their order."""
    found = {candidate.url: candidate async for candidate in _read_each(urls, limits)}
    return tuple(sorted(found.values(), key=lambda feed: _place(feed.url, urls)))


def _place(url: str, named: Sequence[str]) -> int:
    return named.index(url) if url in named else len(named)


def common_addresses(page: str) -> list[str]:
    """Where a site's feed usually lies: below the page's folder, then at the root."""
    root = urljoin(page, "/")
    folder = page if page.endswith("/") else page.rpartition("/")[0] + "/"
    folders = [root] if len(urlsplit(folder).path) <= 1 else [folder.partition("?")[0], root]
    return [urljoin(base, path) for base in folders for path in common_paths()]


async def _read_each(urls: Sequence[str], limits: Limits) -> AsyncGenerator[Candidate, None]:
    requests = [FetchRequest(number, url) for number, url in enumerate(urls)]
    async with aclosing(fetch_all(requests, limits)) as results:
        async for result in results:
            if result.error:
                continue
            try:
                yield _read(result)
            except ParseError:
                continue


def _read(result: FetchResult) -> Candidate:
    feed = parse_feed(result.body, result.content_type, result.final_url)
    clean = clean_feed(feed, result.final_url, trusts_guid=True, now=datetime.now(UTC))
    newest = sorted(
        clean.entries,
        key=lambda entry: entry.published or datetime.min.replace(tzinfo=UTC),
        reverse=True,
    )
    return Candidate(
        url=result.permanent_url or result.url,
        title=feed.title or urlsplit(result.final_url).hostname or result.final_url,
        kind=feed.kind,
        site_url=canonical_url(feed.site_url, result.final_url),
        description=feed.description,
        language=feed.language,
        entries=tuple(
            PreviewEntry(entry.title, entry.url, entry.published) for entry in newest[:PREVIEWED]
        ),
        total=len(clean.entries),
        complaint=clean.complaint,
    )
