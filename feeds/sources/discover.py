"""Finds the feeds of any address that a reader enters, with a preview of each."""

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

MAX_ALTERNATES = 6
SEARCH_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Discovery:
    """The feeds found for `url`: the feed itself, or the feeds of a page, best first."""

    url: str
    candidates: tuple[Candidate, ...]


def discover(url: str, limits: Limits | None = None) -> Discovery:
    """Find the feeds of `url`.

    Addresses from the address rules are tried first. The page itself is fetched only if none of
    them is a feed. An address without a scheme is fetched by http if there is no answer by https.
    Raises FeedError, whose message is for readers, if no feed is found.
    """
    limits = limits or Limits.from_settings()
    has_scheme = "://" in url
    url = complete_address(url)
    with Sandbox() as sandbox:
        known = feed_addresses(url)
        if known and (feeds := asyncio.run(_in_time(_read_all(known, limits, sandbox)))):
            return Discovery(url, feeds)
        page = _fetch_page(url, limits, may_use_http=not has_scheme)
        return Discovery(page.url, _discover_on_page(page, limits, sandbox))


def _fetch_page(url: str, limits: Limits, *, may_use_http: bool) -> FetchResult:
    """Fetch `url`. The error is that of https if neither https nor http succeeds.

    An invalid certificate is an error: http would let anybody on the way answer.
    """
    result = fetch_one(url, limits)
    has_no_https = result.unreachable and not result.untrusted
    if has_no_https and may_use_http and url.startswith("https://"):
        plain = fetch_one("http://" + url.removeprefix("https://"), limits)
        result = result if plain.error else plain
    if result.error:
        raise FetchError(result.error)
    return result


def _discover_on_page(
    result: FetchResult, limits: Limits, sandbox: Sandbox
) -> tuple[Candidate, ...]:
    """Return the feed that was fetched, or the feeds of the page that was fetched."""
    try:
        return (_read(result, sandbox),)
    except ParseError as error:
        search = _search(result.final_url, error.alternates, limits, sandbox)
        if candidates := asyncio.run(_in_time(search)):
            return candidates
        raise ParseError(f"{error} No feed was found in the usual places either.") from None


def complete_address(typed: str) -> str:
    """Return the canonical address of what a reader typed. Raises FetchError if it is none.

    `feed:` is removed, and `https://` is added if there is no scheme.
    """
    text = typed.strip()
    for scheme in ("feed://", "feed:"):
        if text.lower().startswith(scheme):
            text = text[len(scheme) :]
    if "://" not in text:
        text = "https://" + text.lstrip("/")
    address = canonical_url(text)
    if not address or len(text.split()) > 1:
        raise FetchError(f"{typed.strip()[:200]!r} is not a web address.")
    return address


async def _in_time(search: Awaitable[tuple[Candidate, ...]]) -> tuple[Candidate, ...]:
    """Return the result of `search`, or nothing if it takes longer than a reader should wait."""
    try:
        async with asyncio.timeout(SEARCH_SECONDS):
            return await search
    except TimeoutError:
        return ()


async def _search(
    page: str, alternates: tuple[str, ...], limits: Limits, sandbox: Sandbox
) -> tuple[Candidate, ...]:
    """Return all feeds that the page links to, or else the first one at a common path."""
    linked = [urljoin(page, alternate) for alternate in alternates[:MAX_ALTERNATES]]
    if feeds := await _read_all(linked, limits, sandbox):
        return feeds
    async with aclosing(_read_each(common_addresses(page), limits, sandbox)) as candidates:
        async for candidate in candidates:
            return (candidate,)
    return ()


async def _read_all(urls: Sequence[str], limits: Limits, sandbox: Sandbox) -> tuple[Candidate, ...]:
    """Return the feeds among `urls`, in their order."""
    by_url = {candidate.url: candidate async for candidate in _read_each(urls, limits, sandbox)}
    return tuple(sorted(by_url.values(), key=lambda feed: _place(feed.url, urls)))


def _place(url: str, urls: Sequence[str]) -> int:
    return urls.index(url) if url in urls else len(urls)


def common_addresses(page: str) -> list[str]:
    """Return the usual addresses of a site's feed: in the folder of `page`, then at the root."""
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
