"""Connections are reused within a host, and limited in number over all hosts."""

import asyncio
from http.server import BaseHTTPRequestHandler
from typing import Any

from feeds.ingest.fetch.guard import Guard
from feeds.ingest.fetch.transport import guarded_client
from tests.feeds.ingest.server import Answer, reply, serve

GUARD = Guard.of(["127.0.0.1"])


def noting(ports: list[int]) -> Answer:
    """An answer that notes the port of the client's end of the connection."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        ports.append(handler.client_address[1])
        reply(200, b"x")(handler)

    return answer


async def get_all(urls: list[str], connections: int, at_once: int = 1) -> int:
    """Request the addresses. Returns the greatest number of open connections."""
    most = 0
    async with guarded_client(GUARD, connections=connections, headers={}) as client:
        pools: Any = client._transport._pool  # type: ignore[attr-defined]
        limit = asyncio.Semaphore(at_once)

        async def get(url: str) -> None:
            nonlocal most
            async with limit:
                response = await client.get(url)
                assert response.content == b"x"
                most = max(most, sum(len(pool.connections) for pool in pools._pools.values()))

        await asyncio.gather(*map(get, urls))
    assert not pools._pools
    return most


def test_requests_to_one_host_share_a_connection() -> None:
    ports: list[int] = []
    with serve({"/": noting(ports)}) as server:
        asyncio.run(get_all([f"http://a.localhost:{server.server_port}/"] * 5, connections=3))

    assert len(ports) == 5
    assert len(set(ports)) == 1


def test_a_host_keeps_its_connection_while_few_others_are_requested() -> None:
    ports: list[int] = []
    with serve({"/": noting(ports)}) as server:
        hosts = [f"http://{name}.localhost:{server.server_port}/" for name in "abcabc"]
        asyncio.run(get_all(hosts, connections=3))

    assert ports[:3] == ports[3:]


def test_connections_to_many_hosts_are_closed_the_least_recently_used_first() -> None:
    ports: list[int] = []
    with serve({"/": noting(ports)}) as server:
        names = [*"abcdefghijkl", "l", "k", "a"]
        hosts = [f"http://{name}.localhost:{server.server_port}/" for name in names]
        most = asyncio.run(get_all(hosts, connections=3))

    assert most == 3
    assert ports[11:14] == [ports[11], ports[11], ports[10]]
    assert ports[14] != ports[0]


def test_concurrent_requests_to_many_hosts_stay_within_the_limit() -> None:
    with serve({"/": noting([])}) as server:
        hosts = [f"http://h{number % 20}.localhost:{server.server_port}/" for number in range(80)]
        most = asyncio.run(get_all(hosts, connections=6, at_once=6))

    assert most <= 6 + 6


def test_a_host_that_refuses_connections_leaves_none_behind() -> None:
    async def refused() -> int:
        async with guarded_client(GUARD, connections=2, headers={}) as client:
            pools: Any = client._transport._pool  # type: ignore[attr-defined]
            for number in range(6):
                try:
                    await client.get(f"http://h{number}.localhost:9/")
                except Exception as error:
                    assert "connect" in str(error).lower()
            return len(pools._pools)

    assert asyncio.run(refused()) <= 2
