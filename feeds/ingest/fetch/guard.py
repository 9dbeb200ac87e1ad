"""Decides which addresses may be fetched, so that a feed cannot probe the operator's network."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from feeds.core.errors import BlockedAddressError
from feeds.ingest.fetch.special_networks import (
    Address,
    Network,
    carried_ipv4,
    special_use,
    unmapped,
)

PORTS = frozenset({80, 443, 8080, 8443})
LOOPBACK = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Guard:
    """Blocks addresses that are not public, and unusual ports.

    `networks` and `hosts` (`host` or `host:port`) are exceptions, which are allowed on any port.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = field(default_factory=frozenset)
    ports: frozenset[int] = PORTS

    @classmethod
    def of(cls, allowed: Iterable[str], ports: Iterable[str | int] = ()) -> "Guard":
        """Return the guard for the settings.

        Each of `allowed` is a network (`10.0.0.0/8`) or a host.
        """
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
        """Raise BlockedAddressError if `url` is blocked whatever its host resolves to."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise BlockedAddressError(f"{url!r} is not a valid address.") from None
        if parts.scheme not in ("http", "https") or not host:
            raise BlockedAddressError("Only http:// and https:// addresses can be fetched.")
        port = port or (443 if parts.scheme == "https" else 80)
        # A name may still resolve to an allowed network, where every port is allowed.
        if not self.networks or is_literal(host):
            self._check_port(host, port)

    def _check_port(self, host: str, port: int, address: str = "") -> None:
        if port not in self.ports and not self.is_allowed(host, port, address):
            raise BlockedAddressError(f"Port {port} is not allowed.")

    def check_address(self, host: str, port: int, address: str) -> None:
        """Raise BlockedAddressError unless `address`, which `host` resolved to, is public."""
        use = special_use(ipaddress.ip_address(address))
        if use and not self.is_allowed(host, port, address):
            raise BlockedAddressError(
                f"{host} resolves to a private address ({use}), which is blocked. "
                "An administrator can allow it with FETCH_ALLOW_PRIVATE."
            )
        self._check_port(host, port, address)

    def is_allowed(self, host: str, port: int, address: str = "") -> bool:
        """Return True if the operator allows this host, by its name or by its network."""
        host = host.lower().strip("[]")
        bracketed = f"[{host}]" if ":" in host else host
        if host in self.hosts or f"{bracketed}:{port}" in self.hosts:
            return True
        if not address and (host == "localhost" or is_below_localhost(host)):
            address = LOOPBACK
        try:
            parsed = ipaddress.ip_address(address or host)
        except ValueError:
            return False
        return self._is_in_allowed_network(parsed)

    def _is_in_allowed_network(self, address: Address) -> bool:
        """Return True if an allowed network contains `address`.

        An IPv4-mapped address counts as the IPv4 address. In a network of translated addresses
        (NAT64, 6to4, Teredo), an address is allowed only if its IPv4 host is public or allowed.
        """
        address = unmapped(address)
        if not any(address in network for network in self.networks):
            return False
        carried = carried_ipv4(address)
        return carried is None or not special_use(carried) or self._is_in_allowed_network(carried)


def is_literal(host: str) -> bool:
    """Return True if `host` is an address in standard notation rather than a name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_below_localhost(host: str) -> bool:
    """Whether `host` is a name such as pylon.localhost, which means this machine (RFC 6761)."""
    return host.lower().rstrip(".").endswith(".localhost")
