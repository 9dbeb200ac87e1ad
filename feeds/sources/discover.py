"""Find the feeds behind any address that a reader pastes, and show what is in them."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from feeds.core.errors import FeedError, FetchError, ParseError
from feeds.core.sandbox import Sandbox
from feeds.ingest.clean.entries import canonical_url
from feeds.ingest.fetch.client import Limits, fetch_all, fetch_one
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from feeds.ingest.parse.formats import common_paths
from feeds.sources.address_rules import feed_addresses
from feeds.sources.preview import Candidate

MOST_ALTERNATES = 6
LONGEST_SEARCH = 30.0


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
    with Sandbox() as sandbox:
        known = feed_addresses(url)
        if known and (found := asyncio.run(_in_time(_read_all(known, limits, sandbox)))):
            return Discovery(url, found)
        return Discovery(url, _look_at(url, limits, sandbox))


def _look_at(url: str, limits: Limits, sandbox: Sandbox) -> tuple[Candidate, ...]:
    """The feed at `url`, or the feeds of the page there."""
    result = fetch_one(url, limits)
    if result.error:
        raise FetchError(result.error)
    try:
        return (_read(result, sandbox),)
    except ParseError as error:
        search = _search(result.final_url, error.alternates, limits, sandbox)
        if candidates := asyncio.run(_in_time(search)):
            return candidates
        raise ParseError(f"{error} No feed was found in the usual places either.") from None


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


async def _search(
    page: str, alternates: tuple[str, ...], limits: Limits, sandbox: Sandbox
) -> tuple[Candidate, ...]:
    """The feeds that the page names, all of them, else the first at a common path."""
    named = [urljoin(page, alternate) for alternate in alternates[:MOST_ALTERNATES]]
    if found := await _read_all(named, limits, sandbox):
        return found
    async with aclosing(_read_each(common_addresses(page), limits, sandbox)) as candidates:
        async for candidate in candidates:
            return (candidate,)
    return ()


async def _read_all(urls: Sequence[str], limits: Limits, sandbox: Sandbox) -> tuple[Candidate, ...]:
    """The feeds among `urls`, in their order."""
    found = {candidate.url: candidate async for candidate in _read_each(urls, limits, sandbox)}
    return tuple(sorted(found.values(), key=lambda feed: _place(feed.url, urls)))


def _place(url: str, named: Sequence[str]) -> int:
    return named.index(url) if url in named else len(named)


def common_addresses(page: str) -> list[str]:
    """Where a site's feed usually lies: below the page's folder, then at the root."""
    root = urljoin(page, "/")
    folder = page if page.endswith("/") else page.rpartition("/")[0] + "/"
    folders = [root] if len(urlsplit(folder).path) <= 1 else [folder.partition("?")[0], root]
    return [urljoin(base, path) for base in folders for path in common_paths()]


async def _read_each(
    urls: Sequence[str], limits: Limits, sandbox: Sandbox
) -> AsyncGenerator[Candidate, None]:
    requests = [FetchRequest(number, url) for number, url in enumerate(urls)]
    async with aclosing(fetch_all(requests, limits)) as results:
        async for result in results:
            if result.error:
                continue
            try:
                yield _read(result, sandbox)
            except FeedError:
                continue


def _read(result: FetchResult, sandbox: Sandbox) -> Candidate:
    values = sandbox.call(
        "feeds.sources.preview:preview",
        result.body,
        content_type=result.content_type,
        final_url=result.final_url,
        url=result.permanent_url or result.url,
    )
    return Candidate.of(values)
