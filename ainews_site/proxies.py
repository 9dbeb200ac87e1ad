"""Trusted proxies, and the middleware that takes the client's address and scheme from them.

The same headers from any other client are ignored.
"""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Network = IPv4Network | IPv6Network
UNIX = "unix"
"""Stands for Unix sockets in the setting. Their clients have no address."""
BY_TRUSTED_PROXY = "AINEWS_BY_TRUSTED_PROXY"
"""The key of META of requests whose REMOTE_ADDR a trusted proxy has set. No header has it."""
SCHEMES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL")
"""The headers from which gunicorn takes the scheme."""


class Proxies:
    """The trusted proxies: addresses, networks, or Unix sockets."""

    def __init__(self, networks: Sequence[Network] = (), *, unix: bool = False) -> None:
        self.networks, self.unix = tuple(networks), unix

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix

    def trust(self, address: str) -> bool:
        """Return True if `address`, which is "" for a Unix socket, is that of a trusted proxy."""
        if not address:
            return self.unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


def read_proxies(entries: Sequence[str]) -> Proxies:
    """Parse the setting TRUSTED_PROXIES. Raises ValueError with the first invalid entry."""
    names = [name.strip() for name in entries if name.strip()]
    networks = []
    for name in names:
        if name != UNIX:
            try:
                networks.append(ip_network(name))
            except ValueError:
                raise ValueError(name) from None
    return Proxies(networks, unix=UNIX in names)


class TrustedProxyMiddleware:
    """Sets REMOTE_ADDR to the client's address, and X-Forwarded-Proto to its scheme.

    The setting SECURE_PROXY_SSL_HEADER makes Django use the latter.
    """

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponse], proxies: Proxies | None = None
    ) -> None:
        self.get_response, self._proxies = get_response, proxies

    @property
    def proxies(self) -> Proxies:
        configured: Proxies = settings.TRUSTED_PROXIES
        return configured if self._proxies is None else self._proxies

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta, proxies = request.META, self.proxies
        if proxies.trust(meta.get("REMOTE_ADDR", "")):
            meta["REMOTE_ADDR"], meta[BY_TRUSTED_PROXY] = _client(meta, proxies), "1"
            # A proxy that extends the header appends to it.
            meta[SCHEMES[0]] = meta.get(SCHEMES[0], "").rpartition(",")[2].strip() or "http"
        elif any(name in meta for name in SCHEMES):
            meta[SCHEMES[0]] = "http"
        return self.get_response(request)


def _client(meta: dict[str, str], proxies: Proxies) -> str:
    """Return the last address of X-Forwarded-For that isn't a trusted proxy.

    The client may have forged those before it. If it is invalid, the address of the proxy itself
    is returned.
    """
    peer = meta.get("REMOTE_ADDR", "")
    for entry in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _without_port(entry.strip())
        try:
            ip_address(address)
        except ValueError:
            return peer
        if not proxies.trust(address):
            return address
    return peer


def _without_port(text: str) -> str:
    if text.startswith("["):
        return text[1:].partition("]")[0]
    host, colon, _ = text.partition(":")
    return host if colon and text.count(":") == 1 else text
