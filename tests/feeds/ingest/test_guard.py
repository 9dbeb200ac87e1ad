"""Which addresses may be reached."""

import pytest

from feeds.ingest.errors import BlockedAddressError
from feeds.ingest.guard import Guard

PRIVATE = [
    "127.0.0.1",
    "10.1.2.3",
    "172.16.0.1",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "0.0.0.0",
    "224.0.0.1",
    "239.1.1.1",
    "240.0.0.1",
    "255.255.255.255",
    "192.0.2.1",
    "::1",
    "::",
    "::7f00:1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::7f00:1",
    "2002:7f00:1::",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "fd00:ec2::254",
    "ff02::1",
    "2001:db8::1",
]


@pytest.mark.parametrize("address", PRIVATE)
def test_a_host_that_resolves_to_what_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(BlockedAddressError, match="private address"):
        Guard().check_address("feeds.example", 443, address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "8.8.8.8", "2606:2800:220:1::1", "::ffff:8.8.8.8"]
)
def test_a_public_address_is_let_through(address: str) -> None:
    Guard().check_address("feeds.example", 443, address)


@pytest.mark.parametrize(
    "url",
    ["file:///etc/passwd", "ftp://feeds.example/", "gopher://x/", "//feeds.example/", "http:///x"],
)
def test_only_http_and_https_are_fetched(url: str) -> None:
    with pytest.raises(BlockedAddressError, match="Only http"):
        Guard().check_url(url)


@pytest.mark.parametrize("url", ["http://[::1", "http://feeds.example:99999/"])
def test_an_address_that_cannot_be_read_is_refused_in_words(url: str) -> None:
    with pytest.raises(BlockedAddressError, match="not a valid address"):
        Guard().check_url(url)


@pytest.mark.parametrize("port", [22, 25, 6379, 5432, 9200])
def test_ports_of_other_services_are_refused(port: int) -> None:
    with pytest.raises(BlockedAddressError, match=f"Port {port}"):
        Guard().check_url(f"http://feeds.example:{port}/")


def test_ports_are_a_setting() -> None:
    Guard.of([], ["80", "7000"]).check_url("http://feeds.example:7000/")


@pytest.mark.parametrize("entry", ["10.0.0.0/8", "10.1.2.3", "nas.lan", "nas.lan:9000"])
def test_an_operator_lets_a_network_or_a_host_through_on_any_port(entry: str) -> None:
    guard = Guard.of([entry, ""])

    guard.check_url("http://nas.lan:9000/feed")
    guard.check_address("nas.lan", 9000, "10.1.2.3")


def test_a_host_with_a_port_is_allowed_on_that_port_alone() -> None:
    guard = Guard.of(["nas.lan:9000", "[::1]:8000"])

    guard.check_address("::1", 8000, "::1")
    with pytest.raises(BlockedAddressError):
        guard.check_address("nas.lan", 80, "10.1.2.3")


def test_an_allowed_network_opens_no_other_port_elsewhere() -> None:
    guard = Guard.of(["10.0.0.0/8"])

    with pytest.raises(BlockedAddressError, match="Port 6379"):
        guard.check_address("feeds.example", 6379, "93.184.216.34")
    with pytest.raises(BlockedAddressError, match="private"):
        guard.check_address("feeds.example", 80, "127.0.0.1")


def test_localhost_belongs_to_an_allowed_loopback_network() -> None:
    assert Guard.of(["127.0.0.0/8"]).is_allowed("localhost", 8000)
    assert not Guard.of(["10.0.0.0/8"]).is_allowed("localhost", 8000)
