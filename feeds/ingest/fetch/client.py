"""Fetches many feeds concurrently over HTTP, politely and within limits.

It does not use the ORM: it takes FetchRequests and returns FetchResults. A failure is a sentence
in the result.
"""

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from urllib.parse import urljoin, urlsplit

import httpx
from django.conf import settings

from ainews_site.observe import tracing
from feeds.core import http_headers as response_headers
from feeds.core.errors import FetchError
from feeds.ingest.fetch.decode import decode, too_large
from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fetch.transport import guarded_client, in_words
from feeds.ingest.fetch.types import FetchRequest, FetchResult
from feeds.ingest.parse.formats import accept_header

logger = logging.getLogger(__name__)

REDIRECTS = (301, 302, 303, 307, 308)
PERMANENT = (301, 308)
SLOW_DOWN = (429, 503)
MAX_TIMEOUTS = 3
"""Number of time-outs of one host in a row after which its other feeds are not requested."""
MAX_REDIRECTS = 5
ALLOWED_HOST_WIDTH = 8
"""Number of concurrent requests to a host that the operator allows."""
SMALL = 256 * 1024
"""Bodies up to this size in bytes need no reservation. Of larger ones, few are held at a time."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a run, in seconds and bytes.

    There are at most `concurrency` requests at a time, and one per host, with `host_pause` in
    between.
    """

    guard: Guard = field(default_factory=Guard)
    concurrency: int = 50
    connect_timeout: float = 10.0
    timeout: float = 20.0
    max_bytes: int = 15 * 1024 * 1024
    in_flight_bytes: int = 64 * 1024 * 1024
    host_pause: float = 1.0
    contact_url: str = ""
    sender: str = ""

    @classmethod
    def from_settings(cls) -> "Limits":
        return cls(
            guard=Guard.of(settings.FETCH_ALLOW_PRIVATE, settings.FETCH_PORTS),
            concurrency=settings.FETCH_CONCURRENCY,
            connect_timeout=settings.FETCH_CONNECT_TIMEOUT,
            timeout=settings.FETCH_TIMEOUT,
            max_bytes=settings.FETCH_MAX_BYTES,
            in_flight_bytes=settings.FETCH_IN_FLIGHT_BYTES,
            host_pause=settings.FETCH_HOST_PAUSE,
            contact_url=settings.FETCH_CONTACT_URL,
            sender=settings.FETCH_FROM,
        )

    @property
    def large_at_once(self) -> int:
        """Return how many bodies above SMALL may be in memory at a time, each raw and decoded."""
        spare = self.in_flight_bytes - self.concurrency * SMALL
        return max(1, spare // (2 * self.max_bytes))

    def request_headers(self) -> dict[str, str]:
        agent = f"AINews/1.0 (+{self.contact_url})" if self.contact_url else "AINews/1.0"
        sent = {
            "User-Agent": agent,
            "Accept": accept_header(),
            "Accept-Encoding": "gzip, deflate, br, zstd",
        }
        return sent | ({"From": self.sender} if self.sender else {})


def fetch_one(
    url: str, limits: Limits | None = None, *, etag: str = "", last_modified: str = ""
) -> FetchResult:
    """Fetch one address, for commands and discovery. Never raises; see `error` of the result."""

    async def first() -> FetchResult:
        request = FetchRequest(0, url, etag, last_modified)
        async for result in fetch_all([request], limits or Limits.from_settings()):
            return result
        raise AssertionError("a request always has a result")

    return asyncio.run(first())


async def fetch_all(
    requests: Iterable[FetchRequest], limits: Limits
) -> AsyncGenerator[FetchResult, None]:
    """Yield the result of each request as it arrives. A slow host delays only its own feeds."""
    hosts: dict[str, list[FetchRequest]] = defaultdict(list)
    for request in requests:
        hosts[_host(request.url)].append(request)
    async with guarded_client(
        limits.guard, connections=limits.concurrency, headers=limits.request_headers()
    ) as client:
        fan_out = _FanOut(client, limits)
        tasks = [
            asyncio.create_task(fan_out.host(queue, pause))
            for batch in hosts.values()
            for queue, pause in _lanes(batch, limits)
        ]
        try:
            for _ in range(sum(map(len, hosts.values()))):
                yield await fan_out.take()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        return url


def _lanes(batch: list[FetchRequest], limits: Limits) -> list[tuple[list[FetchRequest], float]]:
    """Split the requests to one host into lanes that run concurrently: [(requests, pause)].

    A public host has one lane. A host that the operator allows has several, without a pause.
    """
    try:
        parts = urlsplit(batch[0].url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        allowed = limits.guard.is_allowed(parts.hostname or "", port)
    except ValueError:
        allowed = False
    if not allowed:
        return [(batch, limits.host_pause)]
    width = min(ALLOWED_HOST_WIDTH, len(batch))
    return [(batch[lane::width], 0.0) for lane in range(width)]


class _FanOut:
    """The shared limits of one run, and the queue of its results."""

    def __init__(self, client: httpx.AsyncClient, limits: Limits) -> None:
        self._client = client
        self._limits = limits
        self._open = asyncio.Semaphore(limits.concurrency)
        self._large = asyncio.Semaphore(limits.large_at_once)
        self._results: asyncio.Queue[tuple[FetchResult, bool]] = asyncio.Queue(4)
        self._holds_large = False

    async def take(self) -> FetchResult:
        """Return the next result. Ends the reservation of the large body that was taken before."""
        if self._holds_large:
            self._large.release()
        result, self._holds_large = await self._results.get()
        return result

    async def host(self, requests: list[FetchRequest], pause: float) -> None:
        """Fetch the requests to one host, one after the other."""
        refusal: FetchResult | None = None
        timeouts = 0
        for number, request in enumerate(requests):
            if refusal:  # the host asked us to stop, so its other feeds get the same result
                skipped = replace(refusal, source_id=request.source_id, url=request.url)
                await self._results.put((skipped, False))
                continue
            if number and pause:
                await asyncio.sleep(pause)
            # Hold the slot until the result is taken, because a waiting body uses memory too.
            async with self._open:
                fetch = _Fetch(self._client, self._limits, self._large, request)
                result = await fetch.run()
                await self._results.put((result, fetch.is_large))
            slow = result.milliseconds >= self._limits.connect_timeout * 900
            timeouts = timeouts + 1 if slow and result.error and not result.status else 0
            if timeouts == MAX_TIMEOUTS or (
                pause and result.status in SLOW_DOWN and result.retry_after
            ):
                refusal = result


class _Fetch:
    """One request with its redirects."""

    def __init__(
        self,
        client: httpx.AsyncClient,
        limits: Limits,
        large: asyncio.Semaphore,
        request: FetchRequest,
    ) -> None:
        self._client, self._limits, self._large = client, limits, large
        self._request = request
        self.is_large = False
        self._timeout = asyncio.timeout(limits.timeout)

    async def run(self) -> FetchResult:
        """Return the result. A failure is a sentence in its `error`."""
        started = time.monotonic()
        request = self._request
        result = FetchResult(request.source_id, request.url, request.url, 0)
        try:
            async with self._timeout:
                with tracing.http_span("GET", request.url, "feed") as span:
                    result = await self._follow()
                    span.set("http.response.status_code", result.status)
        except TimeoutError:
            error = f"No complete response within {self._limits.timeout:g} seconds."
            result = replace(result, error=error)
        except FetchError as error:
            result = replace(result, error=str(error))
        except httpx.InvalidURL:
            result = replace(result, error=f"{request.url[:200]!r} is not a valid address.")
        except (httpx.HTTPError, OSError) as error:
            is_unreachable = isinstance(error, httpx.ConnectError | httpx.ConnectTimeout | OSError)
            message = in_words(error, request.url)
            is_untrusted = "certificate" in str(error).lower()
            result = replace(
                result, error=message, unreachable=is_unreachable, untrusted=is_untrusted
            )
        except Exception:  # one server must not keep the others from being fetched
            logger.exception("fetch_crashed source_id=%s", request.source_id)
            result = replace(result, error="The response could not be processed.")
        return replace(result, milliseconds=int((time.monotonic() - started) * 1000))

    async def _follow(self) -> FetchResult:
        url, permanent, seen = self._request.url, True, set[str]()
        for _ in range(MAX_REDIRECTS + 1):
            self._limits.guard.check_url(url)
            async with self._client.stream(
                "GET", url, headers=self._conditions(), timeout=self._http_timeout()
            ) as response:
                target = response.headers.get("location")
                if response.status_code not in REDIRECTS or not target:
                    moved = url if permanent and url != self._request.url else ""
                    return await self._read(response, url, moved)
            permanent = permanent and response.status_code in PERMANENT
            seen.add(url)
            url = _redirect_target(url, target)
            if url in seen:
                raise FetchError("The address redirects in a loop.")
        raise FetchError(f"The address redirects more than {MAX_REDIRECTS} times.")

    def _conditions(self) -> dict[str, str]:
        validators = {
            "If-None-Match": self._request.etag,
            "If-Modified-Since": self._request.last_modified,
        }
        # Rows of earlier versions may have values that cannot be sent.
        checked = {name: response_headers.validator(validators[name], 1000) for name in validators}
        return {name: value for name, value in checked.items() if value}

    def _http_timeout(self) -> httpx.Timeout:
        return httpx.Timeout(self._limits.timeout, connect=self._limits.connect_timeout)

    async def _read(self, response: httpx.Response, url: str, moved: str) -> FetchResult:
        now = datetime.now(UTC)
        status = response.status_code
        result = FetchResult(
            source_id=self._request.source_id,
            url=self._request.url,
            final_url=url,
            status=status,
            headers=dict(response.headers),
            content_type=response.headers.get("content-type", ""),
            etag=response_headers.validator(response.headers.get("etag", ""), 1000),
            last_modified=response_headers.validator(
                response.headers.get("last-modified", ""), 200
            ),
            permanent_url=moved,
            retry_after=response_headers.retry_after(response.headers, now),
            max_age=response_headers.max_age(response.headers, now),
        )
        if status == 304:
            await response.aread()  # it is empty; a connection that was read to the end is reused
            return result
        if status != 200:
            return replace(result, error=await _status_error(response))
        try:
            return replace(result, body=await self._body(response))
        except FetchError as error:
            return replace(result, error=str(error))

    async def _body(self, response: httpx.Response) -> bytes:
        limit = self._limits.max_bytes
        if int(response.headers.get("content-length") or 0) > limit:
            raise too_large(limit)
        parts: list[bytes] = []
        size = 0
        async for part in response.aiter_raw():
            parts.append(part)
            size += len(part)
            if size > limit:
                raise too_large(limit)
            if size > SMALL:
                await self._reserve()
        raw, encoding = b"".join(parts), response.headers.get("content-encoding", "")
        if not encoding:
            return raw
        try:
            return decode(raw, encoding, min(SMALL, limit))
        except FetchError:
            await self._reserve()
            return decode(raw, encoding, limit)

    async def _reserve(self) -> None:
        """Wait until another large body may be held.

        This wait does not count for the time-out, because it is not the server's fault.
        """
        if self.is_large:
            return
        started = time.monotonic()
        deadline = self._timeout.when()
        self._timeout.reschedule(None)
        await self._large.acquire()
        self.is_large = True
        if deadline is not None:
            self._timeout.reschedule(deadline + time.monotonic() - started)


def _redirect_target(url: str, target: str) -> str:
    try:
        return urljoin(url, target)
    except ValueError:
        raise FetchError("The address redirects to an invalid address.") from None


async def _status_error(response: httpx.Response) -> str:
    """Return a sentence on a status other than 200."""
    status = response.status_code
    known = {
        401: "The feed requires a password (401).",
        404: "The feed no longer exists at this address (404).",
        410: "The publisher has permanently removed this feed (410).",
        429: "The server is limiting how often it can be fetched (429).",
        503: "The server is overloaded or down for maintenance (503).",
    }
    if status in (403, 503) and await _is_challenge(response):
        return f"The site blocks automated requests for this feed ({status})."
    if status == 403:
        return "The server denied access (403)."
    kind = "The server reported an error" if status >= 500 else "The server did not return the feed"
    return known.get(status, f"{kind} ({status}).")


async def _is_challenge(response: httpx.Response) -> bool:
    """Return True if the response is a page that checks whether the client is a browser."""
    if "cf-mitigated" in response.headers:
        return True
    start = b""
    async for part in response.aiter_raw():
        start += part
        if len(start) > 20_000:
            break
    encoding = response.headers.get("content-encoding", "")
    try:
        page = decode(start, encoding, SMALL, is_whole=False).lower()
    except FetchError:
        return False
    return any(phrase in page for phrase in (b"just a moment", b"captcha", b"challenge-platform"))
