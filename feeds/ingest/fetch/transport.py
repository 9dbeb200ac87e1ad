"""An HTTP transport that connects only to addresses the guard has checked, and POST requests.

It connects to the very address that was checked, which prevents DNS rebinding.
"""

import asyncio
import functools
import socket
import ssl
from collections import Counter
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Self
from urllib.parse import urlsplit

import httpcore
import httpx

from ainews_site.observe import tracing
from feeds.core import http_headers as response_headers
from feeds.core.errors import FetchError, UnansweredError
from feeds.ingest.fetch.guard import LOOPBACK, Guard, is_below_localhost, is_literal

_Origin = tuple[bytes, bytes, int | None]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Resolves a name, checks the addresses, and connects to one of them."""

    def __init__(
        self,
        guard: Guard,
        resolver: ThreadPoolExecutor,
        backend: httpcore.AsyncNetworkBackend | None = None,
    ) -> None:
        self._guard = guard
        self._resolver = resolver
        self._backend = backend or httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        addresses = [host] if is_literal(host) else await resolve(host, port, self._resolver)
        for address in addresses:
            self._guard.check_address(host, port, address)
        failure: Exception | None = None
        for address in addresses[:3]:
            try:
                return await self._backend.connect_tcp(
                    address, port, timeout, local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure or httpcore.ConnectError(f"{host} has no address")

    async def connect_unix_socket(self, *args: Any, **kwargs: Any) -> httpcore.AsyncNetworkStream:
        raise FetchError("Unix sockets are not fetched.")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


async def resolve(host: str, port: int, resolver: ThreadPoolExecutor) -> list[str]:
    """Return the addresses of `host` in the order of the system. Raises FetchError.

    Names below localhost are not looked up: they mean this machine wherever they are asked for
    (RFC 6761, 6.3), and not all systems know them. The guard decides about their address as
    about any other.
    """
    if is_below_localhost(host):
        return [LOOPBACK]
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    try:
        entries = await asyncio.get_running_loop().run_in_executor(resolver, look_up)
    except (OSError, UnicodeError):
        raise FetchError(f"The host {host} was not found in DNS.") from None
    return list(dict.fromkeys(str(entry[4][0]) for entry in entries))


class GuardedTransport(httpx.AsyncHTTPTransport):
    """A transport that checks each of its connections by the guard.

    It has a thread for each connection to resolve names, so that a few names whose DNS servers do
    not answer can't delay the others.
    """

    def __init__(self, guard: Guard, connections: int) -> None:
        super().__init__(verify=ssl_context())
        self._resolver = ThreadPoolExecutor(connections, "resolver")
        backend = GuardedBackend(guard, self._resolver)
        self._pool = _Pools(backend, connections)  # type: ignore[assignment]

    async def __aexit__(self, *exception: Any) -> None:
        await super().__aexit__(*exception)
        self._resolver.shutdown(wait=False, cancel_futures=True)


class _Pools:
    """A pool of connections for each origin, in place of one for all.

    The time that httpcore's pool takes for a request grows with the square of the number of its
    idle connections. With 500 hosts, that was a third of the time of all requests.
    """

    def __init__(self, backend: GuardedBackend, connections: int) -> None:
        self._backend, self._connections = backend, connections
        self._pools: dict[_Origin, httpcore.AsyncConnectionPool] = {}
        """The pools by origin, the last used at the end."""
        self._opening: Counter[_Origin] = Counter()
        """Number of requests that still have no response."""

    async def handle_async_request(self, request: httpcore.Request) -> httpcore.Response:
        origin = (request.url.scheme, request.url.host, request.url.port)
        pool = self._pools.pop(origin, None) or _pool(self._backend, self._connections)
        self._pools[origin] = pool
        self._opening[origin] += 1
        try:
            await self._close_surplus()
            return await pool.handle_async_request(request)
        finally:
            self._opening[origin] -= 1

    async def _close_surplus(self) -> None:
        """Close idle pools, the least recently used first, if there are too many pools.

        The caller limits the number of concurrent requests, and so of the pools that stay.
        """
        surplus = len(self._pools) - self._connections
        if surplus <= 0:
            return
        for origin in list(islice(filter(self._is_idle, self._pools), surplus)):
            if pool := self._pools.pop(origin, None):
                with suppress(Exception):  # the request is to another host
                    await pool.aclose()

    def _is_idle(self, origin: _Origin) -> bool:
        if self._opening[origin]:
            return False
        return all(
            known.is_idle() or known.is_closed() for known in self._pools[origin].connections
        )

    async def aclose(self) -> None:
        while self._pools:
            _, pool = self._pools.popitem()
            await pool.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exception: Any) -> None:
        await self.aclose()


def _pool(backend: GuardedBackend, connections: int) -> httpcore.AsyncConnectionPool:
    return httpcore.AsyncConnectionPool(
        ssl_context=ssl_context(),
        max_connections=connections,
        max_keepalive_connections=connections,
        keepalive_expiry=15,
        network_backend=backend,
    )


def guarded_client(guard: Guard, *, connections: int, headers: dict[str, str]) -> httpx.AsyncClient:
    """Return a client that checks its connections by the guard and does not follow redirects."""
    return httpx.AsyncClient(
        transport=GuardedTransport(guard, connections),
        headers=headers,
        follow_redirects=False,
        trust_env=False,
    )


@functools.cache
def ssl_context() -> ssl.SSLContext:
    """Return a context that verifies certificates by certifi's bundle. Reading that takes 20 ms."""
    return httpx.create_ssl_context()


@dataclass(frozen=True, slots=True)
class Posted:
    """The response to a POST request, without its body. `retry_after` is in seconds."""

    status: int
    retry_after: int | None = None


def post(
    url: str, body: bytes, headers: Mapping[str, str], guard: Guard, *, timeout: float
) -> Posted:
    """Post `body` once. A redirect is returned and not followed.

    Raises FetchError if the server did not get the request, and its subclass UnansweredError if it
    may have. `timeout` is in seconds, for the whole request.
    """
    with tracing.http_span("POST", url, "webhook") as span:
        posted = asyncio.run(_post(url, body, dict(headers), guard, timeout))
        span.set("http.response.status_code", posted.status)
        return posted


async def _post(
    url: str, body: bytes, headers: dict[str, str], guard: Guard, timeout: float
) -> Posted:
    guard.check_url(url)
    try:
        async with (
            asyncio.timeout(timeout),
            guarded_client(guard, connections=1, headers={}) as client,
        ):
            answer = client.stream("POST", url, content=body, headers=headers, timeout=timeout)
            async with answer as response:
                after = response_headers.retry_after(response.headers, datetime.now(UTC))
                return Posted(response.status_code, after)
    except httpx.InvalidURL:
        raise FetchError("Invalid address.") from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol) as error:
        raise FetchError(in_words(error, url)) from None
    except TimeoutError:
        raise UnansweredError(f"No response within {timeout:g} seconds.") from None
    except (httpx.HTTPError, OSError) as error:
        raise UnansweredError(in_words(error, url)) from None


def in_words(error: Exception, url: str) -> str:
    """Return a sentence on a network error of a request to `url`."""
    host = urlsplit(url).hostname or url
    text = str(error).lower()
    if "certificate" in text or "ssl" in text or "tls" in text:
        return f"The TLS connection to {host} failed, or its certificate is invalid."
    if isinstance(error, httpx.ConnectTimeout):
        return f"Connecting to {host} timed out."
    if isinstance(error, httpx.ConnectError | ConnectionError):
        return f"{host} refused the connection or is unreachable."
    if isinstance(error, httpx.TimeoutException):
        return f"{host} stopped responding."
    return f"{host} closed the connection or sent an invalid response."
