"""The addresses that may be fetched. The resolver and the connections are stubs."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpcore
import pytest

from feeds.core.errors import BlockedAddressError, FetchError
from feeds.ingest.fetch.guard import PORTS, Guard, is_literal
from feeds.ingest.fetch.transport import GuardedBackend
from tests.network import Names, OutsideError

PUBLIC, PUBLIC_6 = "93.184.216.34", "2606:2800:220:1::1"
# Each of these stands for a whole network; their boundaries are in test_special_networks.
PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "169.254.169.254",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "255.255.255.255",
    "::1",
    "::",
    "::7f00:1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
]
WRAPPED = {
    "mapped": "::ffff:8.8.8.8",
    "mapped loopback": "::ffff:127.0.0.1",
    "compatible": "::8.8.8.8",
    "NAT64": "64:ff9b::8.8.8.8",
    "NAT64 of a loopback address": "64:ff9b::127.0.0.1",
    "local NAT64": "64:ff9b:1::8.8.8.8",
    "6to4": "2002:808:808::",
    "6to4 of a private address": "2002:a00:1::",
    "Teredo": "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
}


@pytest.mark.parametrize("address", PRIVATE)
def test_a_host_that_resolves_to_a_private_address_is_refused(address: str) -> None:
    with pytest.raises(BlockedAddressError, match="private address"):
        Guard().check_address("feeds.example", 443, address)


@pytest.mark.parametrize("address", WRAPPED.values(), ids=WRAPPED)
def test_ipv4_within_ipv6_is_refused_even_when_it_is_public(address: str) -> None:
    with pytest.raises(BlockedAddressError, match="private address"):
        Guard().check_address("feeds.example", 443, address)


def test_a_refusal_names_the_host_and_the_rfc() -> None:
    with pytest.raises(BlockedAddressError) as caught:
        Guard().check_address("feeds.example", 443, "100.64.0.1")

    assert str(caught.value) == (
        "feeds.example resolves to a private address (carrier-grade NAT, RFC 6598), which is "
        "blocked. An administrator can allow it with FETCH_ALLOW_PRIVATE."
    )


@pytest.mark.parametrize("address", [PUBLIC, "8.8.8.8", PUBLIC_6])
def test_a_public_address_is_allowed(address: str) -> None:
    Guard().check_address("feeds.example", 443, address)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://feeds.example/", "gopher://x/", "//feeds.example/", "http:///x"],
)
def test_only_http_and_https_are_fetched(url: str) -> None:
    with pytest.raises(BlockedAddressError, match="Only http"):
        Guard().check_url(url)


@pytest.mark.parametrize("url", ["http://[::1", "http://feeds.example:99999/"])
def test_an_invalid_address_is_refused_with_a_message(url: str) -> None:
    with pytest.raises(BlockedAddressError, match="not a valid address"):
        Guard().check_url(url)


@pytest.mark.parametrize("port", [22, 25, 6379, 5432, 9200])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(BlockedAddressError, match=f"Port {port}"):
        Guard().check_url(f"http://feeds.example:{port}/")


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://[::1", "'http://[::1' is not a valid address."),
        ("file:///etc/passwd", "Only http:// and https:// addresses can be fetched."),
        ("http://feeds.example:22/", "Port 22 is not allowed."),
    ],
)
def test_a_refusal_has_a_clear_message(url: str, words: str) -> None:
    with pytest.raises(BlockedAddressError) as caught:
        Guard().check_url(url)

    assert str(caught.value) == words


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_default_port_is_that_of_the_scheme(scheme: str) -> None:
    other = {"http": "443", "https": "80"}[scheme]

    with pytest.raises(BlockedAddressError, match="Port"):
        Guard.of([], [other]).check_url(f"{scheme}://feeds.example/")
    Guard().check_url(f"{scheme}://feeds.example/")


def test_ports_are_a_setting() -> None:
    guard = Guard.of([], ["80", "7000"])

    guard.check_url("http://feeds.example:7000/")
    with pytest.raises(BlockedAddressError, match="Port 443"):
        guard.check_url("https://feeds.example/")
    assert Guard.of([]).ports == PORTS == {80, 443, 8080, 8443}


@pytest.mark.parametrize(
    "entry", ["10.0.0.0/8", "10.1.2.3", " 10.1.2.99/8 ", "nas.lan", "NAS.lan:9000"]
)
def test_an_operator_can_allow_a_network_or_a_host_on_any_port(entry: str) -> None:
    guard = Guard.of([entry, ""])

    guard.check_url("http://nas.lan:9000/feed")
    guard.check_address("Nas.LAN", 9000, "10.1.2.3")


@pytest.mark.parametrize("entry", ["fd00::/8", "[fd00::1]", "fd00::1"])
def test_an_operator_can_allow_an_ipv6_network(entry: str) -> None:
    guard = Guard.of([entry])

    guard.check_url("http://[fd00::1]:9000/feed")
    guard.check_address("fd00::1", 9000, "fd00::1")
    with pytest.raises(BlockedAddressError, match="Port 9000"):
        guard.check_url("http://[fc00::1]:9000/feed")


def test_an_allowed_ipv4_network_is_reached_by_its_mapped_addresses_too() -> None:
    guard = Guard.of(["10.0.0.0/8"])

    guard.check_address("nas.lan", 80, "::ffff:10.1.2.3")
    for address in ("::ffff:127.0.0.1", "64:ff9b::10.1.2.3", "2002:a01:203::"):
        with pytest.raises(BlockedAddressError, match="private"):
            guard.check_address("nas.lan", 80, address)


@pytest.mark.parametrize(
    ("network", "public", "private", "inner"),
    [
        ("64:ff9b::/96", "64:ff9b::8.8.8.8", "64:ff9b::10.1.2.3", "10.0.0.0/8"),
        ("2002::/16", "2002:808:808::", "2002:a01:203::", "10.0.0.0/8"),
        (
            "2001::/32",
            "2001:0:4136:e378:8000:63bf:f7f7:f7f7",
            "2001:0:4136:e378:8000:63bf:f5fe:fdfc",
            "10.0.0.0/8",
        ),
    ],
)
def test_an_allowed_translator_opens_only_public_and_allowed_hosts(
    network: str, public: str, private: str, inner: str
) -> None:
    guard = Guard.of([network])

    guard.check_address("feeds.example", 443, public)
    with pytest.raises(BlockedAddressError, match="private"):
        guard.check_address("feeds.example", 443, private)
    Guard.of([network, inner]).check_address("nas.lan", 443, private)


def test_a_host_with_a_port_is_allowed_on_that_port_alone() -> None:
    guard = Guard.of(["nas.lan:9000", "[::1]:8000"])

    guard.check_address("nas.lan", 9000, "10.1.2.3")
    guard.check_address("::1", 8000, "::1")
    guard.check_address("[::1]", 8000, "::1")
    for host, port, address in [("nas.lan", 80, "10.1.2.3"), ("::1", 8001, "::1")]:
        with pytest.raises(BlockedAddressError):
            guard.check_address(host, port, address)


def test_an_allowed_network_opens_no_other_port_elsewhere() -> None:
    guard = Guard.of(["10.0.0.0/8"])

    with pytest.raises(BlockedAddressError, match="Port 6379"):
        guard.check_address("feeds.example", 6379, PUBLIC)
    with pytest.raises(BlockedAddressError, match="Port 6379"):
        guard.check_url(f"http://{PUBLIC}:6379/")
    with pytest.raises(BlockedAddressError, match="private"):
        guard.check_address("feeds.example", 80, "127.0.0.1")
    with pytest.raises(BlockedAddressError, match="private"):
        guard.check_address("feeds.example", 80, "::1")


def test_localhost_belongs_to_an_allowed_loopback_network() -> None:
    assert Guard.of(["127.0.0.0/8"]).is_allowed("localhost", 8000)
    assert not Guard.of(["10.0.0.0/8"]).is_allowed("localhost", 8000)
    assert not Guard.of(["127.0.0.0/8"]).is_allowed("localhost", 8000, "10.1.2.3")
    assert not Guard.of(["127.0.0.0/8"]).is_allowed("otherhost", 8000)


@pytest.mark.parametrize(
    ("host", "literal"),
    [(PUBLIC, True), (PUBLIC_6, True), ("fe80::1%eth0", True), ("feeds.example", False)]
    + [(odd, False) for odd in ("", "1.2.3", "010.1.2.3", f"{PUBLIC}%eth0", "[::1]", "0x7f.1")],
)
def test_only_standard_spellings_of_addresses_need_no_resolver(host: str, literal: bool) -> None:
    assert is_literal(host) is literal


class Connections(httpcore.AsyncNetworkBackend):
    """A stub that records the connections and makes none."""

    def __init__(self, failures: int = 0) -> None:
        self.made: list[tuple[str, int]] = []
        self.failures = failures

    async def connect_tcp(self, host: str, port: int, *rest: Any, **named: Any) -> Any:
        self.made.append((host, port))
        if len(self.made) <= self.failures:
            raise httpcore.ConnectError("refused")
        return httpcore.AsyncMockStream([])


def connect(
    host: str, port: int, guard: Guard, backend: Connections, *, of: type[Any] = FetchError
) -> str:
    """Return the message of the error, or "" if a connection was made."""

    async def run() -> None:
        with ThreadPoolExecutor(1) as resolver:
            await GuardedBackend(guard, resolver, backend).connect_tcp(host, port)

    try:
        asyncio.run(run())
    except (of, httpcore.ConnectError) as error:
        return str(error)
    return ""


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    found = Names({})
    monkeypatch.setattr(socket, "getaddrinfo", found)
    return found


def test_the_connection_goes_to_the_checked_address(names: Names) -> None:
    names.addresses["feeds.example"] = [PUBLIC, PUBLIC_6]
    backend = Connections()

    assert connect("feeds.example", 443, Guard(), backend) == ""
    assert backend.made == [(PUBLIC, 443)]
    assert names.asked == ["feeds.example"]  # once: a second answer could be another


def test_the_next_address_is_tried_where_one_does_not_answer(names: Names) -> None:
    names.addresses["feeds.example"] = [PUBLIC, PUBLIC_6, "8.8.8.8", "1.1.1.1"]
    some, none = Connections(failures=1), Connections(failures=9)

    assert connect("feeds.example", 443, Guard(), some) == ""
    assert [host for host, _ in some.made] == [PUBLIC, PUBLIC_6]
    assert connect("feeds.example", 443, Guard(), none) == "refused"
    assert len(none.made) == 3


@pytest.mark.parametrize("inside", [*PRIVATE, *WRAPPED.values()])
def test_one_private_address_among_public_ones_refuses_the_host(names: Names, inside: str) -> None:
    names.addresses["rebind.example"] = [PUBLIC, inside]
    backend = Connections()

    assert "private address" in connect("rebind.example", 443, Guard(), backend)
    assert backend.made == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "10.1.2.3", "169.254.169.254", "64:ff9b::1"])
def test_a_private_literal_is_refused_without_a_connection(names: Names, host: str) -> None:
    backend = Connections()

    assert "private address" in connect(host, 80, Guard(), backend)
    assert (backend.made, names.asked) == ([], [])


def test_a_public_literal_needs_no_resolver(names: Names) -> None:
    backend = Connections()

    assert connect(PUBLIC_6, 443, Guard(), backend) == ""
    assert (backend.made, names.asked) == ([(PUBLIC_6, 443)], [])


def test_a_name_without_an_address_is_explained(names: Names) -> None:
    names.addresses["empty.example"] = []
    backend = Connections()

    assert "not found" in connect("unknown.example", 443, Guard(), backend)
    assert "has no address" in connect("empty.example", 443, Guard(), backend)
    assert backend.made == []


def test_an_allowed_host_is_connected_to(names: Names) -> None:
    names.addresses["nas.lan"] = ["10.1.2.3"]
    backend = Connections()

    assert connect("nas.lan", 9000, Guard.of(["nas.lan:9000"]), backend) == ""
    assert backend.made == [("10.1.2.3", 9000)]


@pytest.mark.parametrize("host", ["pylon.localhost", "a.b.LOCALHOST", "pylon.localhost."])
def test_a_name_below_localhost_is_this_machine_and_blocked(names: Names, host: str) -> None:
    names.addresses[host] = [PUBLIC]  # whatever a resolver says
    backend = Connections()

    assert "private address" in connect(host, 80, Guard(), backend)
    assert (backend.made, names.asked) == ([], [])


def test_a_name_below_localhost_is_connected_to_where_loopback_is_allowed(names: Names) -> None:
    backend = Connections()
    guard = Guard.of(["127.0.0.1"], [8765])

    assert connect("pylon.localhost", 8765, guard, backend) == ""
    assert (backend.made, names.asked) == ([("127.0.0.1", 8765)], [])
    assert guard.is_allowed("pylon.localhost", 8765)
    assert not Guard.of(["10.0.0.0/8"]).is_allowed("pylon.localhost", 8765)


@pytest.mark.parametrize("host", ["notlocalhost", "localhost.example", "localhost"])
def test_other_names_are_looked_up(names: Names, host: str) -> None:
    names.addresses[host] = [PUBLIC]
    backend = Connections()

    assert connect(host, 80, Guard(), backend) == ""
    assert names.asked == [host]


def test_no_test_reaches_beyond_this_machine() -> None:
    with socket.socket() as outside, pytest.raises(OutsideError):
        outside.connect((PUBLIC, 80))
    with pytest.raises(socket.gaierror):
        socket.getaddrinfo("example.org", 80)
