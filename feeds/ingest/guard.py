"""Decide which addresses a fetch may reach, so that a feed cannot probe the operator's network."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from feeds.ingest.errors import BlockedAddressError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

PORTS = frozenset({80, 443, 8080, 8443})
CARRIER_GRADE_NAT = ipaddress.ip_network("100.64.0.0/10")
NAT64 = ipaddress.ip_network("64:ff9b::/96")
AZURE_METADATA = ipaddress.ip_address("168.63.129.16")
"""The one metadata service at a public address."""


@dataclass(frozen=True, slots=True)
class Guard:
    """`networks` and `hosts` (`host` or `host:port`) are let through, on any port."""

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = field(default_factory=frozenset)
    ports: frozenset[int] = PORTS

    @classmethod
    def of(cls, allowed: Iterable[str], ports: Iterable[str | int] = ()) -> "Guard":
        """Build from settings: each of `allowed` is a network (`10.0.0.0/8`) or a host."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in (entry.strip().lower() for entry in allowed):
            try:
                networks.append(ipaddress.ip_network(entry.strip("[]"), strict=False))
            except ValueError:
                if entry:
                    hosts.add(entry)
        chosen = frozenset(int(port) for port in ports)
        return cls(tuple(networks), frozenset(hosts), chosen or PORTS)

    def check_url(self, url: str) -> None:
        """Raise BlockedAddressError for what can be refused before any name is resolved."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise BlockedAddressError(f"{url!r} is not a valid address.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise BlockedAddressError("Only http:// and https:// addresses can be fetched.")
        port = port or (443 if parts.scheme == "https" else 80)
        # A name may yet turn out to lie in an allowed network, where any port will do.
        if not self.networks or is_literal(host):
            self._check_port(host, port)

    def _check_port(self, host: str, port: int, address: str = "") -> None:
        if port not in self.ports and not self.is_allowed(host, port, address):
            raise BlockedAddressError(f"Port {port} is not allowed.")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise BlockedAddressError unless `address`, which `host` resolved to, is public."""
        if not is_public(parse_address(address)) and not self.is_allowed(host, port, address):
            raise BlockedAddressError(
                f"{host} resolves to a private address, which is blocked. "
                "An administrator can allow it with FETCH_ALLOW_PRIVATE."
            )
        self._check_port(host, port, address)

    def is_allowed(self, host: str, port: int, address: str = "") -> bool:
        """Whether the operator lets this host through, by name or by network."""
        host = host.lower().strip("[]")
        written = f"[{host}]" if ":" in host else host
        if host in self.hosts or f"{written}:{port}" in self.hosts:
            return True
        if host == "localhost" and not address:
            address = "127.0.0.1"
        try:
            found = parse_address(address or host)
        except ValueError:
            return False
        return any(
            found.version == network.version and found in network for network in self.networks
        )


def is_literal(host: str) -> bool:
    """Whether `host` is an address, written as the standards want it, and no name."""
    try:
        return bool(parse_address(host))
    except ValueError:
        return False


def parse_address(text: str) -> Address:
    """The address in `text`; what an IPv6 address wraps (mapped, NAT64) is what counts."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped:
            return address.ipv4_mapped
        if address.sixtofour:
            return address.sixtofour
        if address in NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def is_public(address: Address) -> bool:
    """Globally reachable unicast: no private, loopback, link-local, CGNAT or multicast."""
    if address.version == 4:
        return (
            address.is_global
            and not address.is_multicast
            and address not in CARRIER_GRADE_NAT
            and address != AZURE_METADATA
        )
    is_odd = address.is_multicast or address.is_reserved or address.is_site_local
    return address.is_global and not is_odd
