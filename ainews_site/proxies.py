"""Whom the site believes to be a proxy, and what it takes from one: the client's address and
scheme. The headers of everybody else say nothing."""

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest, HttpResponse

Network = IPv4Network | IPv6Network
UNIX = "unix"
"""Names the Unix socket of this machine, over which nobody has an address."""
SCHEMES = ("HTTP_X_FORWARDED_PROTO", "HTTP_X_FORWARDED_PROTOCOL", "HTTP_X_FORWARDED_SSL")
"""The headers by which gunicorn decides on the scheme."""


class Proxies:
    """The trusted proxies: addresses, networks, or Unix sockets."""

    def __init__(self, networks: Sequence[Network] = (), *, unix: bool = False) -> None:
        self.networks, self.unix = tuple(networks), unix

    def __bool__(self) -> bool:
        return bool(self.networks) or self.unix

    def trust(self, address: str) -> bool:
        if not address:
            return self.unix
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks)


def read_proxies(written: Sequence[str]) -> Proxies:
    """Of the setting. Raises ValueError with what is no address or network."""
    names = [name.strip() for name in written if name.strip()]
    networks = []
    for name in names:
        if name != UNIX:
            try:
                networks.append(ip_network(name))
            except ValueError:
                raise ValueError(name) from None
    return Proxies(networks, unix=UNIX in names)


class TrustedProxyMiddleware:
    """Sets REMOTE_ADDR to the client's address, and X-Forwarded-Proto to its scheme, which
    SECURE_PROXY_SSL_HEADER reads."""

    def __init__(
        self, get_response: Callable[[HttpRequest], HttpResponse], proxies: Proxies | None = None
    ) -> None:
        self.get_response, self._proxies = get_response, proxies

    @property
    def proxies(self) -> Proxies:
        found: Proxies = settings.TRUSTED_PROXIES if self._proxies is None else self._proxies
        return found

    def __call__(self, request: HttpRequest) -> HttpResponse:
        meta, proxies = request.META, self.proxies
        if proxies.trust(meta.get("REMOTE_ADDR", "")):
            meta["REMOTE_ADDR"] = _client(meta, proxies)
            # A proxy that adds to the header writes at its end.
            meta[SCHEMES[0]] = meta.get(SCHEMES[0], "").rpartition(",")[2].strip() or "http"
        elif any(name in meta for name in SCHEMES):
            meta[SCHEMES[0]] = "http"
        return self.get_response(request)


def _client(meta: dict[str, str], proxies: Proxies) -> str:
    """The last address of X-Forwarded-For that is no proxy of ours: those before it were
    written by the client. The proxy's own where that is no address."""
    peer = meta.get("REMOTE_ADDR", "")
    for written in reversed(meta.get("HTTP_X_FORWARDED_FOR", "").split(",")):
        address = _without_port(written.strip())
        try:
            ip_address(address)
        except ValueError:
            return peer
        if not proxies.trust(address):
            return address
    return peer


def _without_port(written: str) -> str:
    if written.startswith("["):
        return written[1:].partition("]")[0]
    host, colon, _ = written.partition(":")
    return host if colon and written.count(":") == 1 else written
