"""Each special network is blocked up to its last address, and its neighbours are not."""

import ipaddress
import re

import pytest

from feeds.ingest.fetch.special_networks import IPV4, IPV6, carried_ipv4, special_use, unmapped

# Listed independently of the product's table: network, RFC, whether the address before the first
# and the one after the last are public (None: there is no such address).
NETWORKS = [
    ("0.0.0.0/8", "RFC 791", None, True),
    ("10.0.0.0/8", "RFC 1918", True, True),
    ("100.64.0.0/10", "RFC 6598", True, True),
    ("127.0.0.0/8", "RFC 1122", True, True),
    ("168.63.129.16/32", "Azure", True, True),
    ("169.254.0.0/16", "RFC 3927", True, True),
    ("172.16.0.0/12", "RFC 1918", True, True),
    ("192.0.0.0/29", "RFC 7335", True, False),
    ("192.0.0.8/32", "RFC 7600", False, False),
    ("192.0.0.9/32", "RFC 7723", False, False),
    ("192.0.0.10/32", "RFC 8155", False, False),
    ("192.0.0.170/31", "RFC 8880", False, False),
    ("192.0.0.128/25", "RFC 6890", False, True),
    ("192.0.2.0/24", "RFC 5737", True, True),
    ("192.31.196.0/24", "RFC 7535", True, True),
    ("192.52.193.0/24", "RFC 7450", True, True),
    ("192.88.99.0/24", "RFC 7526", True, True),
    ("192.168.0.0/16", "RFC 1918", True, True),
    ("192.175.48.0/24", "RFC 7534", True, True),
    ("198.18.0.0/15", "RFC 2544", True, True),
    ("198.51.100.0/24", "RFC 5737", True, True),
    ("203.0.113.0/24", "RFC 5737", True, True),
    ("224.0.0.0/4", "RFC 5771", True, False),
    ("240.0.0.0/5", "RFC 1112", False, False),
    ("255.255.255.255/32", "RFC 8190", False, None),
    ("::/128", "RFC 4291", None, False),
    ("::1/128", "RFC 4291", False, False),
    ("::/96", "RFC 4291", None, False),
    ("::ffff:0:0/96", "RFC 4291", False, False),
    ("64:ff9b::/96", "RFC 6052", False, False),
    ("64:ff9b:1::/48", "RFC 8215", False, False),
    ("100::/64", "RFC 6666", False, False),
    ("100:0:0:1::/64", "RFC 9780", False, False),
    ("2001::/32", "RFC 4380", True, False),
    ("2001:1::1/128", "RFC 7723", False, False),
    ("2001:1::2/128", "RFC 8155", False, False),
    ("2001:1::3/128", "RFC 9665", False, False),
    ("2001:2::/48", "RFC 5180", False, False),
    ("2001:3::/32", "RFC 7450", False, False),
    ("2001:4:112::/48", "RFC 7535", False, False),
    ("2001:10::/28", "RFC 4843", False, False),
    ("2001:20::/28", "RFC 7343", False, False),
    ("2001:30::/28", "RFC 9374", False, False),
    ("2001:100::/24", "RFC 2928", False, True),
    ("2001:db8::/32", "RFC 3849", True, True),
    ("2002::/16", "RFC 3056", True, True),
    ("2620:4f:8000::/48", "RFC 7534", True, True),
    ("3fff::/20", "RFC 9637", True, True),
    ("4000::/3", "RFC 4291", True, False),
    ("5f00::/16", "RFC 9602", False, False),
    ("fc00::/7", "RFC 4193", False, False),
    ("fe80::/10", "RFC 4291", False, False),
    ("fec0::/10", "RFC 3879", False, False),
    ("ff00::/8", "RFC 4291", False, None),
]


@pytest.mark.parametrize(("network", "rfc", "before", "after"), NETWORKS)
def test_a_special_network_ends_where_its_rfc_says(
    network: str, rfc: str, before: bool | None, after: bool | None
) -> None:
    whole = ipaddress.ip_network(network)
    first, last = whole.network_address, whole.broadcast_address

    assert special_use(first) and special_use(last)
    assert rfc in special_use(last) or rfc in special_use(first)
    if before is not None:
        assert (special_use(first - 1) == "") is before
    if after is not None:
        assert (special_use(last + 1) == "") is after


def test_every_entry_of_the_table_has_its_boundaries_tested() -> None:
    tested = [ipaddress.ip_network(network) for network, *_ in NETWORKS]
    for written, name in (IPV4 | IPV6).items():
        network = ipaddress.ip_network(written)
        inside = [one for one in tested if one.version == network.version]
        ends = {one.broadcast_address for one in inside}
        assert network.network_address in {one.network_address for one in inside} or (
            network.network_address in ends
        ), name
        assert network.broadcast_address in ends, name


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "93.184.216.34", "223.255.255.255", "2000::", "2606:2800:220:1::1"],
)
def test_public_addresses_have_no_special_use(address: str) -> None:
    assert special_use(ipaddress.ip_address(address)) == ""


@pytest.mark.parametrize(
    "address", ["::2:0:0:1", "200::1", "1000::1", "1fff:ffff::1", "4000::1", "c000::1", "f000::1"]
)
def test_ipv6_that_no_registry_has_assigned_is_not_public(address: str) -> None:
    assert "RFC 4291" in special_use(ipaddress.ip_address(address))


def test_each_use_is_named_with_its_rfc() -> None:
    # Readers see these names in an error.
    for network, name in (IPV4 | IPV6).items():
        if network == "168.63.129.16/32":
            assert name == "metadata service of Azure, at a public address"
            continue
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9 -]+, RFC \d+", name), network
    assert special_use(ipaddress.ip_address("4000::1")) == ("outside IPv6 global unicast, RFC 4291")


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("64:ff9b::8.8.4.5", "8.8.4.5"),
        ("64:ff9b::255.255.255.255", "255.255.255.255"),
        ("2002:808:405::", "8.8.4.5"),
        ("2001:0:4136:e378:8000:63bf:f7f7:fbfa", "8.8.4.5"),
        ("64:ff9b:1::8.8.4.5", None),
        ("2606:2800:220:1::1", None),
        ("::ffff:8.8.4.5", None),
        ("8.8.4.5", None),
    ],
)
def test_a_translated_address_carries_an_ipv4_host(address: str, host: str | None) -> None:
    carried = carried_ipv4(ipaddress.ip_address(address))

    assert carried == (ipaddress.IPv4Address(host) if host else None)


def test_only_a_mapped_address_is_unmapped() -> None:
    assert unmapped(ipaddress.ip_address("::ffff:8.8.4.5")) == ipaddress.ip_address("8.8.4.5")
    for written in ("8.8.4.5", "64:ff9b::8.8.4.5", "2606:2800:220:1::1"):
        assert unmapped(ipaddress.ip_address(written)) == ipaddress.ip_address(written)
