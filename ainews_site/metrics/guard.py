"""Who may read the metrics: those who know METRICS_TOKEN, and machines in METRICS_NETWORKS."""

import hmac
from ipaddress import ip_address

from django.conf import settings


def may_read(authorization: str, address: str, *, is_forwarded: bool) -> bool:
    """Return True if a request may read the metrics.

    `authorization` is its header, `address` that of the client. A request that a proxy forwarded
    comes from the machine of the proxy. Unless the proxy is trusted, its client is not known, and
    needs the token.
    """
    kind, _, token = authorization.partition(" ")
    if settings.METRICS_TOKEN and kind.lower() == "bearer":
        expected = settings.METRICS_TOKEN.encode()
        return hmac.compare_digest(token.strip().encode(), expected)
    return not is_forwarded and _is_inside(address)


def _is_inside(address: str) -> bool:
    try:
        parsed = ip_address(address)
    except ValueError:  # a Unix socket, which has no address
        return False
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return any(mapped in network for network in settings.METRICS_NETWORKS)
