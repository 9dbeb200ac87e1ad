"""Keep the tests on this machine: no packet and no DNS query may go anywhere else."""

import ipaddress
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

LOCAL_NAMES = frozenset({"", "localhost"})


class OutsideError(AssertionError):
    """A test tried to reach another machine."""


def is_local(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host in LOCAL_NAMES
    return address.is_loopback or address.is_unspecified  # the kernel takes 0.0.0.0 for loopback


@contextmanager
def only_this_machine() -> Iterator[None]:
    """Connecting elsewhere raises OutsideError, and names other than localhost are unknown."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _checked(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", _local_resolver(socket.getaddrinfo))
        yield


def _checked(connect: Any) -> Any:
    def checked(self: socket.socket, address: Any) -> Any:
        is_internet = self.family in (socket.AF_INET, socket.AF_INET6)
        if is_internet and not is_local(str(address[0])):
            raise OutsideError(f"A test connects to {address}.")
        return connect(self, address)

    return checked


def _local_resolver(real: Any) -> Any:
    def resolve(host: Any, *rest: Any, flags: int = 0, **named: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name is not None and name not in LOCAL_NAMES:
            flags |= socket.AI_NUMERICHOST  # addresses in any spelling, but no question to DNS
        return real(host, *rest, flags=flags, **named)

    return resolve


class Names:
    """A resolver of the test's own: what each name leads to, and what was asked."""

    def __init__(self, addresses: dict[str, list[str]]) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    def __call__(self, host: str, port: int, *rest: Any, **named: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.addresses:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return [
            (socket.AF_INET6 if ":" in found else socket.AF_INET, socket.SOCK_STREAM, 6, "", entry)
            for found in self.addresses[host]
            for entry in [(found, port, 0, 0) if ":" in found else (found, port)]
        ]
