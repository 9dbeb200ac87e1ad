"""The networks that are not part of the public internet, by the registries of IANA. Pure.

Python's `ipaddress.is_global` is not used: its answers differ between patch releases.
Sources: the IANA IPv4 and IPv6 Special-Purpose Address Registries, Multicast Address Spaces and
IPv6 Address Space. Entries that IANA marks as globally reachable are listed too, because they
serve protocols and no web server.
"""

import ipaddress

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
"""The only part of IPv6 from which public addresses are assigned (RFC 4291, 2.4)."""
NOT_ASSIGNED = "outside IPv6 global unicast, RFC 4291"

IPV4 = {
    "0.0.0.0/8": "this network, RFC 791",
    "10.0.0.0/8": "private use, RFC 1918",
    "100.64.0.0/10": "carrier-grade NAT, RFC 6598",
    "127.0.0.0/8": "loopback, RFC 1122",
    "168.63.129.16/32": "metadata service of Azure, at a public address",
    "169.254.0.0/16": "link-local, RFC 3927",
    "172.16.0.0/12": "private use, RFC 1918",
    "192.0.0.0/24": "IETF protocol assignments, RFC 6890",
    "192.0.0.0/29": "IPv4 service continuity, RFC 7335",
    "192.0.0.8/32": "IPv4 dummy address, RFC 7600",
    "192.0.0.9/32": "PCP anycast, RFC 7723",
    "192.0.0.10/32": "TURN anycast, RFC 8155",
    "192.0.0.170/31": "NAT64 discovery, RFC 8880",
    "192.0.2.0/24": "documentation, RFC 5737",
    "192.31.196.0/24": "AS112, RFC 7535",
    "192.52.193.0/24": "AMT, RFC 7450",
    "192.88.99.0/24": "6to4 relay anycast, RFC 7526",
    "192.168.0.0/16": "private use, RFC 1918",
    "192.175.48.0/24": "AS112, RFC 7534",
    "198.18.0.0/15": "benchmarking, RFC 2544",
    "198.51.100.0/24": "documentation, RFC 5737",
    "203.0.113.0/24": "documentation, RFC 5737",
    "224.0.0.0/4": "multicast, RFC 5771",
    "240.0.0.0/4": "reserved, RFC 1112",
    "255.255.255.255/32": "limited broadcast, RFC 8190",
}
IPV6 = {
    "::/128": "unspecified address, RFC 4291",
    "::1/128": "loopback, RFC 4291",
    "::/96": "IPv4-compatible address, RFC 4291",
    "::ffff:0:0/96": "IPv4-mapped address, RFC 4291",
    "64:ff9b::/96": "NAT64, RFC 6052",
    "64:ff9b:1::/48": "local-use NAT64, RFC 8215",
    "100::/64": "discard only, RFC 6666",
    "100:0:0:1::/64": "dummy prefix, RFC 9780",
    "2001::/23": "IETF protocol assignments, RFC 2928",
    "2001::/32": "Teredo, RFC 4380",
    "2001:1::1/128": "PCP anycast, RFC 7723",
    "2001:1::2/128": "TURN anycast, RFC 8155",
    "2001:1::3/128": "DNS-SD registration anycast, RFC 9665",
    "2001:2::/48": "benchmarking, RFC 5180",
    "2001:3::/32": "AMT, RFC 7450",
    "2001:4:112::/48": "AS112, RFC 7535",
    "2001:10::/28": "ORCHID, RFC 4843",
    "2001:20::/28": "ORCHIDv2, RFC 7343",
    "2001:30::/28": "drone remote identification, RFC 9374",
    "2001:db8::/32": "documentation, RFC 3849",
    "2002::/16": "6to4, RFC 3056",
    "2620:4f:8000::/48": "AS112, RFC 7534",
    "3fff::/20": "documentation, RFC 9637",
    "5f00::/16": "segment routing, RFC 9602",
    "fc00::/7": "unique local, RFC 4193",
    "fe80::/10": "link-local, RFC 4291",
    "fec0::/10": "site-local, RFC 3879",
    "ff00::/8": "multicast, RFC 4291",
}


def _most_specific_first(table: dict[str, str]) -> tuple[tuple[Network, str], ...]:
    networks = [(ipaddress.ip_network(network), name) for network, name in table.items()]
    return tuple(sorted(networks, key=lambda entry: -entry[0].prefixlen))


_TABLES = {4: _most_specific_first(IPV4), 6: _most_specific_first(IPV6)}
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


def special_use(address: Address) -> str:
    """Return what `address` is reserved for, with the RFC, or "" for a public unicast address."""
    for network, name in _TABLES[address.version]:
        if address in network:
            return name
    is_assigned = isinstance(address, ipaddress.IPv4Address) or address in GLOBAL_UNICAST
    return "" if is_assigned else NOT_ASSIGNED


def carried_ipv4(address: Address) -> ipaddress.IPv4Address | None:
    """Return the IPv4 host that a translator or tunnel would reach for this IPv6 address.

    Covers NAT64's well-known prefix, 6to4 and Teredo. An IPv4-mapped address is not sent as
    IPv6 at all; see `unmapped`.
    """
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.sixtofour or (address.teredo[1] if address.teredo else None)


def unmapped(address: Address) -> Address:
    """Return the IPv4 address of an IPv4-mapped one, which the kernel uses.

    Others are returned as is.
    """
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
