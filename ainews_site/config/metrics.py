"""Reads the settings of metrics. Pure."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network
SHORTEST = 16
"""Characters of a token. A shorter one could be guessed."""
MOST_SOURCES = 2_000


def read_networks(entries: Sequence[str]) -> tuple[Network, ...]:
    """Parse METRICS_NETWORKS. Raises ValueError with the first invalid entry."""
    networks: list[Network] = []
    for entry in filter(None, map(str.strip, entries)):
        try:
            networks.append(ip_network(entry))
        except ValueError:
            raise ValueError(entry) from None
    return tuple(networks)


def address_of(setting: str) -> tuple[str, int] | None:
    """Parse METRICS_LISTEN, host:port. Returns None if it is empty. Raises ValueError."""
    if not setting:
        return None
    host, colon, port = setting.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError(setting)
    return host.strip("[]"), int(port)


def metrics_problem(token: str, networks: Sequence[str], sources: int, listen: str) -> str:
    """Return what is wrong with these settings, in a sentence, or ""."""
    if 0 < len(token) < SHORTEST:
        return f"METRICS_TOKEN must have {SHORTEST} characters or more."
    try:
        read_networks(networks)
    except ValueError as error:
        return f"METRICS_NETWORKS: '{error}' is not an address or a network."
    try:
        address_of(listen)
    except ValueError:
        return f"METRICS_LISTEN must be host:port, such as 127.0.0.1:9101, not {listen}."
    if not 0 <= sources <= MOST_SOURCES:
        return f"METRICS_SOURCES must be 0 to {MOST_SOURCES:,}, not {sources}."
    return ""
